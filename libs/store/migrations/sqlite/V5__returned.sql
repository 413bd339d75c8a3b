-- Why a worker gave a leg back last, so that ExplainJob can name it.
--
-- Never change this file: later changes add files beside it.

ALTER TABLE legs ADD COLUMN returned TEXT;

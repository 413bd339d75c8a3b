-- What keeps a group's legs waiting, since when, as its dispatches have found it one after the
-- other: an operator's pause, a full window, a window that is full for bulk work.
--
-- Never change this file: later changes add files beside it.

ALTER TABLE limit_groups ADD COLUMN paused_since bigint;
ALTER TABLE limit_groups ADD COLUMN full_since bigint;
ALTER TABLE limit_groups ADD COLUMN bulk_full_since bigint;

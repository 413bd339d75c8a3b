-- A batch that goes on puts the deadlines of its open jobs off: found without the many that ended.
--
-- Never change this file: later changes add files beside it.

CREATE INDEX jobs_open_of_batch ON jobs (batch, state)
    WHERE state = 'OPEN' AND batch IS NOT NULL;

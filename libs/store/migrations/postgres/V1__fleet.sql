-- Jobs, legs, batches, limit groups, and the ledger of refused logins.
--
-- Times and spans are microseconds. Names sort by their bytes, as they do in the programs.
-- Never change this file: later changes add files beside it, and only add tables, columns
-- and indexes, since gateways of the version before still run meanwhile.

-- The one clock of all gateways, in microseconds since 1970.
CREATE FUNCTION mailfleet_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$;

-- A mail server as its owner would count it. The row is what dispatch locks. One without
-- settings of its own has version 0 and no limits.
CREATE TABLE limit_groups (
    zone        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    shard       bigint NOT NULL,
    version     bigint NOT NULL DEFAULT 0,
    paused      boolean NOT NULL DEFAULT false,
    concurrency bigint,
    per_source  bigint,
    rate_logins bigint,
    rate_per    bigint,
    -- When it was dispatched last; 0: never.
    dispatched  bigint NOT NULL DEFAULT 0,
    -- Counts its releases: where `turns.served` comes from.
    serial      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (zone, name)
);

CREATE INDEX limit_groups_set ON limit_groups (zone, shard) WHERE 0 < version;

-- Which tenant was served when, by class: dispatch goes round.
CREATE TABLE turns (
    zone   text COLLATE "C" NOT NULL,
    name   text COLLATE "C" NOT NULL,
    class  text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    served bigint NOT NULL,
    PRIMARY KEY (zone, name, class, tenant),
    FOREIGN KEY (zone, name) REFERENCES limit_groups (zone, name) ON DELETE CASCADE
);

CREATE TABLE batches (
    id      uuid NOT NULL PRIMARY KEY,
    tenant  text COLLATE "C" NOT NULL,
    created bigint NOT NULL,
    -- Why its legs are not released; NULL: they are.
    paused  text COLLATE "C"
);

CREATE INDEX batches_of_tenant ON batches (tenant);
CREATE INDEX batches_by_age ON batches (created);

-- The counters of a batch, in several rows, so that jobs of one batch that end at the same
-- moment do not wait for each other. A job moves those of its own slot.
CREATE TABLE batch_counts (
    batch        uuid NOT NULL,
    slot         bigint NOT NULL,
    open         bigint NOT NULL DEFAULT 0,
    healthy      bigint NOT NULL DEFAULT 0,
    faulty       bigint NOT NULL DEFAULT 0,
    inconclusive bigint NOT NULL DEFAULT 0,
    cancelled    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (batch, slot),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
);

-- Open jobs of a tenant, in slots likewise: a submission must not count a whole batch.
CREATE TABLE tenant_counts (
    tenant      text COLLATE "C" NOT NULL,
    slot        bigint NOT NULL,
    interactive bigint NOT NULL DEFAULT 0,
    bulk        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, slot)
);

CREATE TABLE jobs (
    id           uuid NOT NULL PRIMARY KEY,
    tenant       text COLLATE "C" NOT NULL,
    class        text COLLATE "C" NOT NULL,
    batch        uuid REFERENCES batches (id),
    state        text COLLATE "C" NOT NULL,
    -- Changes of this row; those of its legs are counted there.
    revision     bigint NOT NULL DEFAULT 1,
    created      bigint NOT NULL,
    deadline     bigint NOT NULL,
    finished     bigint,
    verdict      text COLLATE "C",
    traceparent  text COLLATE "C",
    request_id   text COLLATE "C",
    request_body bytea,
    settings     bytea,
    payload      bytea NOT NULL,
    report       bytea
);

CREATE UNIQUE INDEX jobs_by_request ON jobs (tenant, request_id) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_running ON jobs (tenant, settings)
    WHERE state = 'OPEN' AND settings IS NOT NULL;
CREATE INDEX jobs_of_tenant ON jobs (tenant, id, state, class);
CREATE INDEX jobs_of_batch ON jobs (batch, id, state, class) WHERE batch IS NOT NULL;
CREATE INDEX jobs_by_deadline ON jobs (deadline) WHERE state = 'OPEN';
CREATE INDEX jobs_by_end ON jobs (finished) WHERE state <> 'OPEN';

CREATE TABLE legs (
    job            uuid NOT NULL,
    idx            bigint NOT NULL,
    tenant         text COLLATE "C" NOT NULL,
    class          text COLLATE "C" NOT NULL,
    -- All zeros: none. Not NULL, so that the next one can be looked up.
    batch          uuid NOT NULL,
    kind           text COLLATE "C" NOT NULL,
    gate           text COLLATE "C" NOT NULL,
    gate_leg       bigint,
    zone           text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    shard          bigint NOT NULL,
    pool           text COLLATE "C" NOT NULL,
    mailbox        bytea NOT NULL,
    login          bytea NOT NULL,
    cap            bigint NOT NULL,
    state          text COLLATE "C" NOT NULL,
    dispatch       bigint NOT NULL DEFAULT 0,
    attempt        bigint NOT NULL DEFAULT 0,
    starts         bigint NOT NULL DEFAULT 0,
    started        bigint NOT NULL DEFAULT 0,
    since          bigint NOT NULL,
    due            bigint,
    live_to        text COLLATE "C",
    traceparent    text COLLATE "C",
    -- Changes of this row outside of the job's lock.
    revision       bigint NOT NULL DEFAULT 0,
    end_code       text COLLATE "C",
    end_retry      text COLLATE "C",
    end_retry_min  bigint,
    end_retry_max  bigint,
    end_login      text COLLATE "C",
    end_submission text COLLATE "C",
    -- The order with its sealed credential; empty once the job has ended.
    payload        bytea NOT NULL,
    end_report     bytea,
    PRIMARY KEY (job, idx),
    FOREIGN KEY (job) REFERENCES jobs (id) ON DELETE CASCADE,
    FOREIGN KEY (zone, name) REFERENCES limit_groups (zone, name)
);

-- What dispatch reads: lanes by skipping from one to the next, legs from the head of each.
CREATE INDEX legs_ready ON legs (zone, name, class, tenant, batch, since, job, idx)
    WHERE state = 'READY';
CREATE INDEX legs_ready_of_batch ON legs (batch, zone, name)
    WHERE state = 'READY' AND batch <> '00000000-0000-0000-0000-000000000000';
-- What is out, of a group and of a shard.
CREATE INDEX legs_out ON legs (zone, name, class) WHERE state IN ('RELEASED', 'PUBLISHED');
CREATE INDEX legs_out_of_shard ON legs (zone, shard, class)
    WHERE state IN ('RELEASED', 'PUBLISHED');
-- What the sweeps look for.
CREATE INDEX legs_released ON legs (since) WHERE state = 'RELEASED';
CREATE INDEX legs_published ON legs ((since + cap)) WHERE state = 'PUBLISHED';
CREATE INDEX legs_snoozed ON legs ((coalesce(due, 0))) WHERE state = 'SNOOZED';

-- Definitive refusals. Outlives the jobs.
CREATE TABLE ledger (
    job    uuid NOT NULL,
    idx    bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    login  bytea NOT NULL,
    zone   text COLLATE "C" NOT NULL,
    name   text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    PRIMARY KEY (job, idx)
);

CREATE INDEX ledger_of_login ON ledger (login, zone, name, at);
CREATE INDEX ledger_by_age ON ledger (at);
CREATE INDEX ledger_of_tenant ON ledger (tenant);

-- Jobs, legs, batches, limit groups, and the ledger of refused logins.
--
-- Times and spans are microseconds, ids are 16 bytes. Never change this file: later
-- changes add files beside it, and only add tables, columns and indexes, since gateways of
-- the version before still run meanwhile.

-- A mail server as its owner would count it. The row is what dispatch locks. One without
-- settings of its own has version 0 and no limits.
CREATE TABLE limit_groups (
    zone        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    shard       INTEGER NOT NULL,
    version     INTEGER NOT NULL DEFAULT 0,
    paused      INTEGER NOT NULL DEFAULT 0,
    concurrency INTEGER,
    per_source  INTEGER,
    rate_logins INTEGER,
    rate_per    INTEGER,
    -- When it was dispatched last; 0: never.
    dispatched  INTEGER NOT NULL DEFAULT 0,
    -- Counts its releases: where `turns.served` comes from.
    serial      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (zone, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX limit_groups_set ON limit_groups (zone, shard) WHERE 0 < version;

-- Which tenant was served when, by class: dispatch goes round.
CREATE TABLE turns (
    zone   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    class  TEXT    NOT NULL,
    tenant TEXT    NOT NULL,
    served INTEGER NOT NULL,
    PRIMARY KEY (zone, name, class, tenant),
    FOREIGN KEY (zone, name) REFERENCES limit_groups (zone, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    id      BLOB    NOT NULL PRIMARY KEY,
    tenant  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    -- Why its legs are not released; NULL: they are.
    paused  TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX batches_of_tenant ON batches (tenant);
CREATE INDEX batches_by_age ON batches (created);

-- The counters of a batch, in several rows, so that jobs of one batch that end at the same
-- moment do not wait for each other. A job moves those of its own slot.
CREATE TABLE batch_counts (
    batch        BLOB    NOT NULL,
    slot         INTEGER NOT NULL,
    open         INTEGER NOT NULL DEFAULT 0,
    healthy      INTEGER NOT NULL DEFAULT 0,
    faulty       INTEGER NOT NULL DEFAULT 0,
    inconclusive INTEGER NOT NULL DEFAULT 0,
    cancelled    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (batch, slot),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Open jobs of a tenant, in slots likewise: a submission must not count a whole batch.
CREATE TABLE tenant_counts (
    tenant      TEXT    NOT NULL,
    slot        INTEGER NOT NULL,
    interactive INTEGER NOT NULL DEFAULT 0,
    bulk        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id           BLOB    NOT NULL PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    class        TEXT    NOT NULL,
    batch        BLOB    REFERENCES batches (id),
    state        TEXT    NOT NULL,
    -- Changes of this row; those of its legs are counted there.
    revision     INTEGER NOT NULL DEFAULT 1,
    created      INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    finished     INTEGER,
    verdict      TEXT,
    traceparent  TEXT,
    request_id   TEXT,
    request_body BLOB,
    settings     BLOB,
    payload      BLOB    NOT NULL,
    report       BLOB
) STRICT;

CREATE UNIQUE INDEX jobs_by_request ON jobs (tenant, request_id) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_running ON jobs (tenant, settings)
    WHERE state = 'OPEN' AND settings IS NOT NULL;
CREATE INDEX jobs_of_tenant ON jobs (tenant, id, state, class);
CREATE INDEX jobs_of_batch ON jobs (batch, id, state, class) WHERE batch IS NOT NULL;
CREATE INDEX jobs_by_deadline ON jobs (deadline) WHERE state = 'OPEN';
CREATE INDEX jobs_by_end ON jobs (finished) WHERE state <> 'OPEN';

CREATE TABLE legs (
    job            BLOB    NOT NULL,
    idx            INTEGER NOT NULL,
    tenant         TEXT    NOT NULL,
    class          TEXT    NOT NULL,
    -- Sixteen zero bytes: none. Not NULL, so that the next one can be looked up.
    batch          BLOB    NOT NULL,
    kind           TEXT    NOT NULL,
    gate           TEXT    NOT NULL,
    gate_leg       INTEGER,
    zone           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    shard          INTEGER NOT NULL,
    pool           TEXT    NOT NULL,
    mailbox        BLOB    NOT NULL,
    login          BLOB    NOT NULL,
    cap            INTEGER NOT NULL,
    state          TEXT    NOT NULL,
    dispatch       INTEGER NOT NULL DEFAULT 0,
    attempt        INTEGER NOT NULL DEFAULT 0,
    starts         INTEGER NOT NULL DEFAULT 0,
    started        INTEGER NOT NULL DEFAULT 0,
    since          INTEGER NOT NULL,
    due            INTEGER,
    live_to        TEXT,
    traceparent    TEXT,
    -- Changes of this row outside of the job's lock.
    revision       INTEGER NOT NULL DEFAULT 0,
    end_code       TEXT,
    end_retry      TEXT,
    end_retry_min  INTEGER,
    end_retry_max  INTEGER,
    end_login      TEXT,
    end_submission TEXT,
    -- The order with its sealed credential; empty once the job has ended.
    payload        BLOB    NOT NULL,
    end_report     BLOB,
    PRIMARY KEY (job, idx),
    FOREIGN KEY (job) REFERENCES jobs (id) ON DELETE CASCADE,
    FOREIGN KEY (zone, name) REFERENCES limit_groups (zone, name)
) STRICT;

-- What dispatch reads: lanes by skipping from one to the next, legs from the head of each.
CREATE INDEX legs_ready ON legs (zone, name, class, tenant, batch, since, job, idx)
    WHERE state = 'READY';
CREATE INDEX legs_ready_of_batch ON legs (batch, zone, name)
    WHERE state = 'READY' AND batch <> x'00000000000000000000000000000000';
-- What is out, of a group and of a shard.
CREATE INDEX legs_out ON legs (zone, name, class) WHERE state IN ('RELEASED', 'PUBLISHED');
CREATE INDEX legs_out_of_shard ON legs (zone, shard, class)
    WHERE state IN ('RELEASED', 'PUBLISHED');
-- What the sweeps look for.
CREATE INDEX legs_released ON legs (since) WHERE state = 'RELEASED';
CREATE INDEX legs_published ON legs (since + cap) WHERE state = 'PUBLISHED';
CREATE INDEX legs_snoozed ON legs (coalesce(due, 0)) WHERE state = 'SNOOZED';

-- Definitive refusals. Outlives the jobs.
CREATE TABLE ledger (
    job    BLOB    NOT NULL,
    idx    INTEGER NOT NULL,
    tenant TEXT    NOT NULL,
    login  BLOB    NOT NULL,
    zone   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (job, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_of_login ON ledger (login, zone, name, at);
CREATE INDEX ledger_by_age ON ledger (at);
CREATE INDEX ledger_of_tenant ON ledger (tenant);

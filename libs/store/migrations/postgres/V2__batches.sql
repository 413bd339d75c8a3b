-- Batches with items: what they are made of before and after their jobs.
--
-- Never change this file: later changes add files beside it.

-- Batches of the version before have no items of their own and are not fed: hence DONE.
ALTER TABLE batches ADD COLUMN state text COLLATE "C" NOT NULL DEFAULT 'DONE';
ALTER TABLE batches ADD COLUMN display_name text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE batches ADD COLUMN request_id text COLLATE "C";
ALTER TABLE batches ADD COLUMN request_body bytea;
ALTER TABLE batches ADD COLUMN traceparent text COLLATE "C";
ALTER TABLE batches ADD COLUMN class text COLLATE "C" NOT NULL DEFAULT 'REVALIDATION';
ALTER TABLE batches ADD COLUMN max_open bigint NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN canaries bigint NOT NULL DEFAULT 0;
-- NULL: the guard never pauses it.
ALTER TABLE batches ADD COLUMN stop_when bigint;
-- Spans; `ends` is the moment that follows from `deadline`.
ALTER TABLE batches ADD COLUMN item_deadline bigint NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN deadline bigint NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN started bigint;
ALTER TABLE batches ADD COLUMN ends bigint;
ALTER TABLE batches ADD COLUMN finished bigint;
-- Who paused it and when; why stands in `paused`.
ALTER TABLE batches ADD COLUMN pause_cause text COLLATE "C";
ALTER TABLE batches ADD COLUMN pause_since bigint;
ALTER TABLE batches ADD COLUMN guard_since bigint NOT NULL DEFAULT 0;
-- Items that were ever stored: where the next one's position comes from.
ALTER TABLE batches ADD COLUMN items bigint NOT NULL DEFAULT 0;
-- The domain that was fed last: feeding goes round.
ALTER TABLE batches ADD COLUMN fed text COLLATE "C" NOT NULL DEFAULT '';

CREATE UNIQUE INDEX batches_by_request ON batches (tenant, request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX batches_in_order ON batches (tenant, id);
CREATE INDEX batches_live ON batches (id) WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING');

CREATE TABLE batch_items (
    batch       uuid NOT NULL,
    -- From 1, in the order of the upload.
    position    bigint NOT NULL,
    item_key    text COLLATE "C" NOT NULL,
    address     text COLLATE "C" NOT NULL,
    domain      text COLLATE "C" NOT NULL,
    -- The login of its first leg.
    login       bytea NOT NULL,
    state       text COLLATE "C" NOT NULL,
    job         uuid,
    redrives    bigint NOT NULL DEFAULT 0,
    verdict     text COLLATE "C",
    code        text COLLATE "C",
    limit_group text COLLATE "C",
    -- What came of the login.
    answer      text COLLATE "C",
    finished    bigint,
    -- The payload of its job.
    payload     bytea NOT NULL,
    PRIMARY KEY (batch, position),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX batch_items_by_key ON batch_items (batch, item_key);
CREATE UNIQUE INDEX batch_items_by_job ON batch_items (job) WHERE job IS NOT NULL;
-- No two open items share a login, over all batches: a refusal of one is known to the next.
CREATE UNIQUE INDEX batch_items_open_login ON batch_items (login) WHERE state = 'OPEN';
CREATE INDEX batch_items_held ON batch_items (batch, domain, position) WHERE state = 'HELD';
CREATE INDEX batch_items_open ON batch_items (batch, domain) WHERE state = 'OPEN';
CREATE INDEX batch_items_answered ON batch_items (batch, domain, answer)
    WHERE answer IS NOT NULL;
CREATE INDEX batch_items_logins ON batch_items (batch, finished)
    WHERE answer IN ('ACCEPTED', 'REFUSED_DEFINITIVELY');
CREATE INDEX batch_items_ended ON batch_items (batch, finished) WHERE finished IS NOT NULL;
CREATE INDEX batch_items_caused ON batch_items (batch, domain, limit_group, code)
    WHERE code IS NOT NULL;

-- The legs that an item's job gets. Their credentials are wiped as soon as the item cannot
-- begin anew by itself.
CREATE TABLE batch_legs (
    batch    uuid NOT NULL,
    position bigint NOT NULL,
    idx      bigint NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    gate     text COLLATE "C" NOT NULL,
    gate_leg bigint,
    zone     text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    shard    bigint NOT NULL,
    pool     text COLLATE "C" NOT NULL,
    mailbox  bytea NOT NULL,
    login    bytea NOT NULL,
    cap      bigint NOT NULL,
    payload  bytea NOT NULL,
    PRIMARY KEY (batch, position, idx),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
);

-- How many items are where, in several rows, so that items that end at the same moment do not
-- wait for each other. An item moves those of its own slot.
CREATE TABLE batch_tallies (
    batch   uuid NOT NULL,
    slot    bigint NOT NULL,
    state   text COLLATE "C" NOT NULL,
    -- Empty: none.
    verdict text COLLATE "C" NOT NULL,
    code    text COLLATE "C" NOT NULL,
    items   bigint NOT NULL,
    PRIMARY KEY (batch, slot, state, verdict, code),
    FOREIGN KEY (batch) REFERENCES batches (id) ON DELETE CASCADE
);

-- Notices for other services: written with what they speak of, placed and published later.
--
-- Never change this file: later changes add files beside it.

CREATE TABLE notices (
    id          uuid NOT NULL PRIMARY KEY,
    -- Its place in the order that is told; NULL until it has one.
    serial      bigint,
    at          bigint NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    traceparent text COLLATE "C",
    -- Set: it is about this job. Otherwise about the batch.
    job         uuid,
    batch       uuid,
    state       text COLLATE "C" NOT NULL,
    class       text COLLATE "C",
    verdict     text COLLATE "C",
    code        text COLLATE "C",
    created     bigint,
    pause_cause text COLLATE "C"
);

CREATE INDEX notices_unplaced ON notices (at, id) WHERE serial IS NULL;
CREATE UNIQUE INDEX notices_in_order ON notices (serial) WHERE serial IS NOT NULL;
CREATE INDEX notices_of_tenant ON notices (tenant, serial) WHERE serial IS NOT NULL;

-- One row: how far placing, publishing and forgetting have come, and who publishes.
CREATE TABLE notice_board (
    board      bigint NOT NULL PRIMARY KEY CHECK (board = 1),
    placed     bigint NOT NULL,
    published  bigint NOT NULL,
    forgotten  bigint NOT NULL,
    holder     text COLLATE "C" NOT NULL,
    held_until bigint NOT NULL
);

INSERT INTO notice_board (board, placed, published, forgotten, holder, held_until)
    VALUES (1, 0, 0, 0, '', 0);

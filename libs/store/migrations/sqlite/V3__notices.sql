-- Notices for other services: written with what they speak of, placed and published later.
--
-- Never change this file: later changes add files beside it.

CREATE TABLE notices (
    id          BLOB NOT NULL PRIMARY KEY,
    -- Its place in the order that is told; NULL until it has one.
    serial      INTEGER,
    at          INTEGER NOT NULL,
    tenant      TEXT NOT NULL,
    traceparent TEXT,
    -- Set: it is about this job. Otherwise about the batch.
    job         BLOB,
    batch       BLOB,
    state       TEXT NOT NULL,
    class       TEXT,
    verdict     TEXT,
    code        TEXT,
    created     INTEGER,
    pause_cause TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX notices_unplaced ON notices (at, id) WHERE serial IS NULL;
CREATE UNIQUE INDEX notices_in_order ON notices (serial) WHERE serial IS NOT NULL;
CREATE INDEX notices_of_tenant ON notices (tenant, serial) WHERE serial IS NOT NULL;

-- One row: how far placing, publishing and forgetting have come, and who publishes.
CREATE TABLE notice_board (
    board      INTEGER NOT NULL PRIMARY KEY CHECK (board = 1),
    placed     INTEGER NOT NULL,
    published  INTEGER NOT NULL,
    forgotten  INTEGER NOT NULL,
    holder     TEXT NOT NULL,
    held_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO notice_board (board, placed, published, forgotten, holder, held_until)
    VALUES (1, 0, 0, 0, '', 0);

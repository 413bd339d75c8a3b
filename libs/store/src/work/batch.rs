//! Where the legs of a batch wait.

use crate::tx::Statement;

/// Groups where a batch has waiting legs, at most 1,000: skips from one to the next in the
/// index, so that a batch's many legs of one group cost one look.
pub(crate) const READY_GROUPS: Statement = Statement {
    postgres: "WITH RECURSIVE found (zone, name) AS ( \
           (SELECT zone, name FROM legs \
             WHERE state = 'READY' AND batch <> '00000000-0000-0000-0000-000000000000' \
               AND batch = $1 ORDER BY zone, name LIMIT 1) \
         UNION ALL \
           SELECT n.zone, n.name FROM found f, LATERAL ( \
             SELECT zone, name FROM legs \
             WHERE state = 'READY' AND batch <> '00000000-0000-0000-0000-000000000000' \
               AND batch = $1 AND (zone, name) > (f.zone, f.name) \
             ORDER BY zone, name LIMIT 1) n \
         ) SELECT zone, name FROM found LIMIT 1000",
    sqlite: Some(
        "WITH RECURSIVE found (zone, name) AS ( \
           SELECT * FROM (SELECT zone, name FROM legs \
             WHERE state = 'READY' AND batch <> x'00000000000000000000000000000000' \
               AND batch = $1 ORDER BY zone, name LIMIT 1) \
         UNION ALL \
           SELECT n.zone, n.name FROM found f JOIN legs n ON n.rowid = coalesce( \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' \
               AND l.batch <> x'00000000000000000000000000000000' \
               AND l.batch = $1 AND l.zone = f.zone AND l.name > f.name \
               ORDER BY l.name LIMIT 1), \
             (SELECT l.rowid FROM legs l WHERE l.state = 'READY' \
               AND l.batch <> x'00000000000000000000000000000000' \
               AND l.batch = $1 AND l.zone > f.zone ORDER BY l.zone, l.name LIMIT 1)) \
         ) SELECT zone, name FROM found LIMIT 1000",
    ),
};

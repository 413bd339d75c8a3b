-- How the server looks after the tables by itself.
--
-- Whenever it has vacuumed or analysed a table, every connection makes its plans for that table
-- anew, all at the same moment. With the server's own thresholds that is at every look at a table
-- that is small or changes in place, and then nobody is answered for a tenth of a second. What it
-- learns by it is of little use: every statement has its index, and no plan depends on values.
-- What changes in place is tidied by whoever comes to the page next.
--
-- Never change this file: later changes add files beside it.

DO $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT unnest(ARRAY['limit_groups', 'turns', 'batches', 'batch_counts', 'tenant_counts',
            'jobs', 'legs', 'ledger', 'batch_items', 'batch_legs', 'batch_tallies', 'notices',
            'notice_board']) AS name
    LOOP
        EXECUTE format(
            'ALTER TABLE %I SET (autovacuum_vacuum_threshold = 20000, '
            'autovacuum_vacuum_insert_threshold = 20000, '
            'autovacuum_analyze_threshold = 20000, autovacuum_analyze_scale_factor = 0.5)',
            part.name);
    END LOOP;

    -- An analysis reads 300 rows for each unit of the target of any column, and tries each of them
    -- against the conditions of all indexes: with the server's 100 a second of a core for `legs`.
    FOR part IN
        SELECT c.relname AS name, a.attname AS attribute
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.attrelid IN ('jobs'::regclass, 'legs'::regclass, 'notices'::regclass,
            'batch_items'::regclass) AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET STATISTICS 10',
            part.name, part.attribute);
    END LOOP;
    -- Indexes on what is computed have targets of their own.
    ALTER INDEX legs_published ALTER COLUMN 1 SET STATISTICS 10;
    ALTER INDEX legs_snoozed ALTER COLUMN 1 SET STATISTICS 10;
END $$;

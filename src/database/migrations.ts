/** Every migration, oldest first. */
import { CreateSchema1790000000000 } from './migrations/1790000000000-create-schema';
import { OperatorsPage1790000001000 } from './migrations/1790000001000-operators-page';
import { CheaperIdChecks1790000002000 } from './migrations/1790000002000-cheaper-id-checks';

export const MIGRATIONS = [CreateSchema1790000000000, OperatorsPage1790000001000, CheaperIdChecks1790000002000];

/** The table in which TypeORM notes what was run. */
export const MIGRATIONS_TABLE = 'schema_migrations';

/** What readiness asks for: the newest migration that this build needs. A newer schema is fine. */
export const LATEST_MIGRATION = MIGRATIONS[MIGRATIONS.length - 1].name;

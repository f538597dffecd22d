import type { Pool } from 'pg';

/** The schema as text, the same on every server version: columns with comments, constraints, indexes. */
export async function describeSchema(database: Pool): Promise<string> {
  const lines: string[] = [];
  const tables = await read(
    database,
    `SELECT relname AS name, reloptions::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname`,
  );
  for (const { name, reloptions } of tables) {
    lines.push(`table ${name}${reloptions === null ? '' : ` with ${reloptions}`}`);
    const columns = await read(
      database,
      `SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, pg_get_expr(adbin, adrelid) AS expression,
              attidentity <> '' AS is_identity, col_description(attrelid, attnum) AS comment
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = '${name}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    );
    for (const column of columns) {
      const parts = [
        column.attname,
        column.type,
        column.attnotnull ? 'not null' : undefined,
        column.is_identity ? 'identity' : undefined,
        column.expression === null ? undefined : `default ${column.expression}`,
        column.comment === null ? undefined : `-- ${column.comment}`,
      ];
      lines.push(`  ${parts.filter((part) => part !== undefined).join(' ')}`);
    }
    const constraints = await read(
      database,
      `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint
        WHERE conrelid = '${name}'::regclass AND contype <> 'n' ORDER BY 1`,
    );
    lines.push(...constraints.map(({ text }) => `  ${text}`));
    const indexes = await read(
      database,
      `SELECT indexdef AS text FROM pg_indexes WHERE tablename = '${name}' ORDER BY 1`,
    );
    lines.push(...indexes.map(({ text }) => `  ${text}`), '');
  }
  const functions = await read(
    database,
    `SELECT oid::regprocedure::text AS name, prosecdef::text AS definer, array_to_string(proconfig, ', ') AS settings,
            obj_description(oid) AS comment
       FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`,
  );
  for (const { name, definer, settings, comment } of functions) {
    lines.push(`function ${name}${definer === 'true' ? ` as its owner, ${settings}` : ''} -- ${comment}`);
  }
  return lines.join('\n');
}

async function read(database: Pool, sql: string): Promise<Record<string, string | null>[]> {
  return (await database.query(sql)).rows as Record<string, string | null>[];
}

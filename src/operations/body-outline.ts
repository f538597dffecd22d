import { describeType } from '../errors/describe';

/** A name that a programmer gave. Anything else might be what somebody said. */
const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** What can be told of a body without telling its text: the names of its fields, their types and lengths. */
export function outlineBody(body: Buffer): string[] {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return ['not JSON'];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`JSON, ${describeType(value)}`];
  const fields = Object.entries(value).map(([name, field]) => `${tellName(name)}: ${tell(field)}`);
  return [`JSON, an object of ${fields.length} fields`, ...fields];
}

function tellName(name: string): string {
  return FIELD_NAME.test(name) ? name : `(a name of ${name.length} characters)`;
}

function tell(field: unknown): string {
  const isObject = typeof field === 'object' && field !== null && !Array.isArray(field);
  return isObject ? `an object of ${Object.keys(field).length} fields` : describeType(field);
}

/** OpenTelemetry's standard variables, as far as this service decides over them; its SDK reads the others by itself. */
import { oneOf, url, type Parser } from './environment-fields';

export interface TracingSettings {
  /** OTEL_TRACES_EXPORTER. */
  readonly exporter: 'otlp' | 'console' | 'none';
  /** `service.name`, where neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES says another. */
  readonly serviceName: string;
}

const EXPORTER = oneOf('otlp', 'console', 'none');

const RATIO: Parser<number> = {
  expected: 'a number 0..1',
  parse(raw) {
    const value = Number(raw);
    if (value >= 0 && value <= 1) return value;
    throw new Error('not the expected value');
  },
};

const ENDPOINT = url('http', 'https');

/** What the SDK does not know it passes over without a word; so these are checked before. */
const CHECKED: Readonly<Record<string, Parser<unknown>>> = {
  OTEL_TRACES_EXPORTER: EXPORTER,
  OTEL_TRACES_SAMPLER: oneOf(
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
    'parentbased_traceidratio',
  ),
  OTEL_TRACES_SAMPLER_ARG: RATIO,
  OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ENDPOINT,
  // Collectors take JSON and protobuf on the same port.
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf('http/json'),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: oneOf('http/json'),
};

/**
 * @param problems receives what was expected and what came
 * @returns undefined with OTEL_SDK_DISABLED
 */
export function tracingSettings(source: NodeJS.ProcessEnv, problems: string[]): TracingSettings | undefined {
  if (given(source, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  for (const [name, parser] of Object.entries(CHECKED)) {
    const raw = given(source, name);
    if (raw === undefined) continue;
    try {
      parser.parse(raw);
    } catch {
      problems.push(`${name}: expected ${parser.expected}, got ${JSON.stringify(raw.slice(0, 80))}`);
    }
  }
  const exporter = (given(source, 'OTEL_TRACES_EXPORTER') ?? 'otlp') as TracingSettings['exporter'];
  return { exporter, serviceName: `friendship-${given(source, 'APP_ROLE') ?? 'all'}` };
}

function given(source: NodeJS.ProcessEnv, name: string): string | undefined {
  return source[name]?.trim() || undefined;
}

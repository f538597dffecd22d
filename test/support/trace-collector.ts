/** A collector of OpenTelemetry's on loopback: it takes OTLP over HTTP, as JSON, and remembers all it was sent. */
import { HttpService, hang, json } from './http-service';
import { until } from './until';

/** OTLP's numbers of the kinds. */
export const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 2: it failed. */
  readonly status: number;
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export class TraceCollector {
  private constructor(private readonly http: HttpService) {}

  static async start(): Promise<TraceCollector> {
    return new TraceCollector(await HttpService.start(json({})));
  }

  /** Variables with which a process is traced into this collector. */
  get variables(): Record<string, string> {
    return {
      NODE_OPTIONS: '--require=./dist/observability/tracing.js',
      OTEL_EXPORTER_OTLP_ENDPOINT: this.http.url,
      OTEL_BSP_SCHEDULE_DELAY: '100',
    };
  }

  /** Everything that was ever sent, as it came. */
  get text(): string {
    return this.http.requests.map(({ path, headers, body }) => `${path} ${JSON.stringify(headers)} ${body}`).join('\n');
  }

  get spans(): CollectedSpan[] {
    return this.http.requests.flatMap(({ body }) => parse(body));
  }

  get url(): string {
    return this.http.url;
  }

  get requests(): number {
    return this.http.requests.length;
  }

  /** Takes requests and never answers them. */
  hang(): void {
    this.http.answerWith(hang);
  }

  span(what: string, matches: (span: CollectedSpan) => boolean, seconds = 15): Promise<CollectedSpan> {
    return until(`the span: ${what}`, () => this.spans.find(matches), seconds);
  }

  stop(): Promise<void> {
    return this.http.stop();
  }
}

interface OtlpSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly links?: CollectedSpan['links'];
  readonly status?: { readonly code?: number };
}

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

function parse(body: string): CollectedSpan[] {
  const { resourceSpans } = JSON.parse(body) as OtlpTraces;
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(record(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => collected(service, span)));
  });
}

function collected(service: string, span: OtlpSpan): CollectedSpan {
  return {
    service,
    name: span.name,
    kind: span.kind,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId === '' ? undefined : span.parentSpanId,
    attributes: record(span.attributes),
    links: span.links ?? [],
    status: span.status?.code ?? 0,
  };
}

function record(attributes: readonly OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/** Serves OpenAPI: the page at `/docs`, the document at `/docs-json`. Every route is listed once, with its version. */
export function serveApiDocs(app: NestFastifyApplication): void {
  const config = new DocumentBuilder()
    .setTitle('friendship-service')
    .setDescription(
      'Conversations in, friendship out. Every route answers without the /v1 prefix too. Errors are application/problem+json with a stable `code`.',
    )
    .setVersion('1')
    .addApiKey({ type: 'apiKey', name: 'X-API-Key', in: 'header' }, 'key')
    .addSecurityRequirements('key')
    .build();
  SwaggerModule.setup('docs', app, () => {
    const document = SwaggerModule.createDocument(app, config);
    const listed = Object.entries(document.paths).filter(([path]) => /^\/(v1|health)/.test(path));
    return { ...document, paths: Object.fromEntries(listed) };
  });
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SendOptions } from '@fastify/static';
import { Controller, Get, Param, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { CodedError } from '../../errors/coded-error';
import { Public } from '../../http/api-key.guard';

/** Where `dashboard/` is built to, beside the rest of the build. */
const ROOT = join(__dirname, '..', '..', 'ops');

/** Nothing inline, nothing from elsewhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** The built page. It holds no data, so it asks for nothing. */
@Public()
@ApiExcludeController()
@Controller({ path: 'ops', version: VERSION_NEUTRAL })
export class PageController {
  /** @throws CodedError `ROUTE_NOT_FOUND` where the page was not built */
  @Get()
  page(@Res() reply: FastifyReply): void {
    if (!existsSync(join(ROOT, 'index.html'))) {
      throw new CodedError('ROUTE_NOT_FOUND', 'The page was not built: there is no dist/ops. The README says how.');
    }
    this.send(reply, 'index.html', { cacheControl: false });
    void reply.header('Cache-Control', 'no-cache');
  }

  /** Everything else that was built. Names of assets hold a hash of their content. */
  @Get('*')
  file(@Param('*') path: string, @Res() reply: FastifyReply): void {
    if (path === '') return this.page(reply);
    this.send(reply, path, path.startsWith('assets/') ? { maxAge: '365d', immutable: true } : { maxAge: 0 });
  }

  private send(reply: FastifyReply, path: string, options: SendOptions): void {
    void reply.header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
    void reply.sendFile(path, ROOT, { dotfiles: 'ignore', ...options });
  }
}

import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/**
 * Lends `sendFile` to the server's answers; which files there are, their controller says. It belongs before the routes: a plugin that
 * is waited for later than that keeps Nest's own handler of errors from every route.
 */
export async function lendSendFile(server: FastifyInstance): Promise<void> {
  await server.register(fastifyStatic, { serve: false });
}

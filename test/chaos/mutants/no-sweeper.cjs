// @ts-check
/** Mutant: nobody looks for events that are stored and not queued. What was posted while the broker took nothing stays where it is. */
require('reflect-metadata');
const { join } = require('node:path');
const { Sweeper } = require(join(process.env.CHAOS_DIST ?? '', 'conversation-events', 'sweeper.js'));

if (typeof Sweeper.prototype.onApplicationBootstrap !== 'function') throw new Error('Expected a Sweeper to mutate.');

Sweeper.prototype.onApplicationBootstrap = () => undefined;

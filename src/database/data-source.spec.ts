import { readEnvironment } from '../config/environment';
import { dataSourceOptions, GuardedClient } from './data-source';

describe('a connection of the pool', () => {
  it('may break before anybody listens to it', () => {
    const client = new GuardedClient({ host: 'nowhere' });
    expect(() => client.emit('error', Object.assign(new Error('terminated'), { code: '57P01' }))).not.toThrow();
  });

  it('is a guarded one', () => {
    const environment = readEnvironment({ DATABASE_URL: 'postgres://db/x', RABBITMQ_URL: 'amqp://broker' });
    expect(dataSourceOptions(environment).extra).toMatchObject({ Client: GuardedClient });
  });
});

import { outlineBody } from './body-outline';

const outline = (body: string) => outlineBody(Buffer.from(body));

describe('the outline of a message body', () => {
  it('names the fields with type and length, and quotes nothing', () => {
    const body = {
      conversation_id: 'conv-1',
      n: 7,
      yes: true,
      none: null,
      log: ['hello', 'you'],
      meta: { a: 'secret' },
    };
    expect(outline(JSON.stringify(body))).toEqual([
      'JSON, an object of 6 fields',
      'conversation_id: a string of 6 characters',
      'n: a number',
      'yes: a boolean',
      'none: null',
      'log: an array of 2 items',
      'meta: an object of 1 fields',
    ]);
  });

  it('does not repeat a name that no programmer gives', () => {
    expect(outline('{"my cat is ill": 1, "ủ": 2}')).toEqual([
      'JSON, an object of 2 fields',
      '(a name of 13 characters): a number',
      '(a name of 1 characters): a number',
    ]);
  });

  it.each([
    ['words of a child', ['not JSON']],
    ['', ['not JSON']],
    ['"words"', ['JSON, a string of 5 characters']],
    ['[1,2]', ['JSON, an array of 2 items']],
    ['null', ['JSON, null']],
    ['42', ['JSON, a number']],
  ])('tells what %j is', (body, lines) => {
    expect(outline(body)).toEqual(lines);
  });
});

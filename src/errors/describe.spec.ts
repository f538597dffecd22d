import fc from 'fast-check';
import { CodedError } from './coded-error';
import { describeError, describeValue, errorCode } from './describe';

describe('describing a value', () => {
  it.each([
    [undefined, 'nothing'],
    [null, 'null'],
    ['', 'a string of 0 characters'],
    ['tigers', 'a string of 6 characters'],
    [-3, 'a number (-3)'],
    [NaN, 'a number (NaN)'],
    [true, 'true'],
    [['tigers', 'lions'], 'an array of 2 items'],
    [{ tigers: 2 }, 'an object'],
    [new Date(), 'an object'],
  ])('%p is %s', (value, description) => {
    expect(describeValue(value)).toBe(description);
  });

  it('never quotes a string, however deep it lies', () => {
    const canary = 'Khủng-long';
    const text = fc.string().map((value) => canary + value);
    const tree = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, text, fc.array(tie('tree')), fc.dictionary(text, tie('tree'))),
    })).tree;
    fc.assert(fc.property(tree, (value) => !describeValue(value).includes(canary)));
  });
});

describe('describing an error', () => {
  /** What a driver throws: its message quotes what it choked on. */
  function foreign(message: string, more: object = {}): Error {
    return Object.assign(new TypeError(message), more);
  }

  it('tells the type, the code and the place, and leaves a foreign message out', () => {
    const described = describeError(
      foreign('invalid input: "I like whales"', { code: '22P02', detail: 'whales', query: 'whales' }),
    );
    expect(described).toEqual({ type: 'TypeError', code: '22P02', at: expect.any(Array) as unknown });
    expect(described.at).toEqual(expect.arrayContaining([expect.stringContaining('describe.spec.ts')]));
    expect(JSON.stringify(described)).not.toContain('whales');
  });

  it('keeps the message of our own errors', () => {
    expect(describeError(new CodedError('VALIDATION_FAILED', '1 field(s) are not as expected.'))).toMatchObject({
      type: 'CodedError',
      code: 'VALIDATION_FAILED',
      message: '1 field(s) are not as expected.',
    });
  });

  it('describes the cause in the same way', () => {
    const error = new CodedError('INTERNAL_ERROR', 'Ours.', [], { cause: foreign('whales', { code: 'ECONNRESET' }) });
    const described = describeError(error);
    expect(described).toMatchObject({ message: 'Ours.', cause: { type: 'TypeError', code: 'ECONNRESET' } });
    expect(JSON.stringify(described)).not.toContain('whales');
  });

  it.each([
    ['whales', { type: 'string' }],
    [undefined, { type: 'undefined' }],
    [null, { type: 'object' }],
    [{ message: 'whales' }, { type: 'object' }],
  ])('tells only the type of %p, which is no error', (value, described) => {
    expect(describeError(value)).toEqual(described);
    expect(describeError(new Error('x', { cause: value })).cause).toEqual(value === undefined ? undefined : described);
  });

  it('keeps at most six frames', () => {
    const error = foreign('x');
    error.stack = `TypeError: x\n${'    at f (file.ts:1:1)\n'.repeat(50)}`;
    expect(describeError(error).at).toEqual(Array(6).fill('f (file.ts:1:1)'));
  });

  it('does not take a line of the message for a place', () => {
    const described = describeError(foreign('the child said:\n    at the zoo I saw whales'));
    expect(JSON.stringify(described)).not.toContain('whales');
  });

  it('does not take a message that looks like a place for one', () => {
    const described = describeError(foreign('the child said:\n    at whales (zoo.ts:1:1)\n    at whales'));
    expect(JSON.stringify(described)).not.toContain('whales');
  });

  it('ends with a chain of causes that comes back to itself', () => {
    const error = foreign('x');
    error.cause = foreign('y', { cause: error });
    expect(describeError(error)).toMatchObject({ type: 'TypeError', cause: { type: 'TypeError' } });
  });

  it('leaves out a property that is no short code', () => {
    for (const code of [{ whales: 1 }, ['whales'], 'I like whales']) {
      expect(JSON.stringify(describeError(foreign('x', { code })))).not.toContain('whales');
    }
  });
});

describe('the code of an error', () => {
  it.each([
    [Object.assign(new Error('x'), { code: '40001' }), '40001'],
    [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [{ code: 'E_PLAIN' }, 'E_PLAIN'],
    [new RangeError('whales'), 'RangeError'],
    [Object.assign(new Error('x'), { code: 'I like whales' }), 'Error'],
    [Object.assign(new Error('x'), { code: 'a'.repeat(61) }), 'Error'],
    [Object.assign(new Error('x'), { code: 320 }), 'Error'],
    ['whales', 'UNKNOWN'],
    [null, 'UNKNOWN'],
    [undefined, 'UNKNOWN'],
  ])('of %p is %s', (error, code) => {
    expect(errorCode(error)).toBe(code);
  });
});

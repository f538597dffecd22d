import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** Runs the operators' tool as a process of its own. */
export function runCli(
  variables: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { PATH } = process.env;
  const cli = join(__dirname, '..', '..', 'dist', 'cli.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], { env: { PATH, ...variables } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}

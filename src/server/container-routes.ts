/** The credentials endpoint of ECS and EKS (`AWS_CONTAINER_CREDENTIALS_FULL_URI`). */

import { errorAnswer } from './answer.ts';
import { containerAnswer } from './credential-answers.ts';
import { READ } from './router.ts';
import type { Route } from './router.ts';
import type { ServedRole } from './served-role.ts';
import { createVend } from './vend.ts';
import type { VendOptions } from './vend.ts';

// The AWS CLI and some SDKs show these messages to the user.
const NO_TOKEN = errorAnswer(
  401,
  'Unauthorized',
  'no Authorization header was sent: older clients know no AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, see serve --print-token',
);
const BAD_TOKEN = errorAnswer(
  401,
  'Unauthorized',
  'the authorization token is not valid: it is sent as it is in the file, with no scheme before it',
);

/** The routes by path: `/role/NAME`, and `/credentials` for the first role. */
export function containerRoutes(roles: readonly ServedRole[], options: VendOptions): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const [index, role] of roles.entries()) {
    const vend = createVend(role, containerAnswer, options);
    const route: Route = {
      label: 'container-credentials',
      methods: READ,
      handle({ head: { authorization }, socket, method }) {
        if (authorization === undefined) return NO_TOKEN;
        return role.authorization().accepts(authorization) ? vend(socket, method) : BAD_TOKEN;
      },
    };
    if (index === 0) routes.set('/credentials', route);
    routes.set(`/role/${role.name}`, route);
  }
  return routes;
}


// One user in one session: its values, and its cookies, which k6 forgets at the end of each iteration.
class User {
  constructor() {
    this.values = {};
  }

  pause(seconds) {
    if (seconds * THINK > 0) sleep(seconds * THINK);
  }

  // One request; it fails where the answer is of another class than the recorded one.
  send(method, url, name, want, { headers = {}, cookies = {}, body = null } = {}) {
    const replaced = Object.entries(cookies).map(([key, value]) => [key, { value, replace: true }]);
    const right = (status) => (want === null ? status > 0 : Math.floor(status / 100) === Math.floor(want / 100));
    const lowest = want === null ? 100 : Math.floor(want / 100) * 100;
    const response = http.request(method, url.startsWith("/") ? TARGET + url : url, body, {
      headers,
      cookies: Object.fromEntries(replaced),
      redirects: 0,
      tags: { name },
      responseCallback: http.expectedStatuses({ min: lowest, max: want === null ? 599 : lowest + 99 }),
    });
    check(response, { "status as recorded": (answer) => right(answer.status) }, { name });
    if (PLAIN_TARGET_OF_TLS && TARGET.startsWith("http:")) {
      for (const cookie of Object.values(response.cookies || {}).flat()) {
        if (cookie.secure) http.cookieJar().set(TARGET, cookie.name, cookie.value, { path: cookie.path || "/" });
      }
    }
    return response;
  }

  // Keeps values of a response for later requests; the latest count.
  keep(name, found, which = null) {
    const kept = which === null ? found : found.slice(which, which + 1);
    if (kept.length > 0) this.values[name] = kept;
  }

  // A value kept, or what was recorded where no response had one.
  value(name, recorded = "", index = 0) {
    const found = this.values[name];
    return found ? found[index % found.length] : recorded;
  }

  // This user's own value of a column of the identities, or what was recorded where there are none.
  login(column, recorded = "") {
    if (IDENTITIES.length === 0) return recorded;
    return IDENTITIES[exec.scenario.iterationInTest % IDENTITIES.length][column] || recorded;
  }
}

// The sessions of a profile take turns.
function play(sessions) {
  sessions[exec.scenario.iterationInTest % sessions.length](new User());
}

// Each profile begins its share of the sessions. Users who take longer begin fewer, so that more of them are needed.
function scenarios() {
  const length = ({ share, pauses, requests }) => share * (pauses * THINK + requests * 0.02);
  const total = PROFILES.reduce((sum, profile) => sum + length(profile), 0);
  const all = {};
  for (const profile of PROFILES) {
    const users = Math.max(1, Math.round((USERS * length(profile)) / total));
    const iterations = Math.max(1, Math.round(SESSIONS * profile.share));
    all[profile.name] =
      RATE > 0
        ? {
            executor: "constant-arrival-rate",
            exec: profile.name,
            rate: Math.max(1, Math.round(RATE * profile.share * 1000)),
            timeUnit: "1000s",
            duration: DURATION,
            preAllocatedVUs: users,
            maxVUs: users * 10,
          }
        : {
            executor: "shared-iterations",
            exec: profile.name,
            vus: Math.min(users, iterations),
            iterations,
            maxDuration: "24h",
          };
  }
  return all;
}

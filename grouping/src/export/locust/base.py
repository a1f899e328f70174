

class RecordedUser(HttpUser):
    """Plays recorded sessions, one after the other: each with its own cookies and values."""

    abstract = True
    # Share of the sessions, seconds of pauses in a session, requests in a session: set by each profile.
    share, pauses, requests = 1.0, 0.0, 1.0

    def __init_subclass__(cls, **options):
        # Locust's weight is a share of the users, and users who take longer begin fewer sessions.
        cls.weight = max(1, round(1000 * cls.share * (cls.pauses * THINK + cls.requests * 0.02)))
        cls.deck = itertools.count()
        cls.quota = max(1, round(SESSIONS * cls.share)) if SESSIONS else None
        super().__init_subclass__(**options)

    def on_start(self):
        self.identity = next(IDENTITY)
        self.here = self.host.rstrip("/")

    @task
    def session(self):
        number = next(self.deck)
        if self.quota is not None and number >= self.quota:
            if number == self.quota:
                Quotas.done(self)
            time.sleep(1)
            return
        self.client.cookies.clear()
        self.client.headers.clear()
        self.values = {}
        Quotas.playing += 1
        try:
            self.sessions[number % len(self.sessions)](self)
        finally:
            Quotas.playing -= 1

    def pause(self, seconds):
        if seconds * THINK > 0:
            time.sleep(seconds * THINK)

    def send(self, method, url, name, want, headers=None, cookies=None, body=None):
        """One request; it fails where the answer is of another class than the recorded one."""
        headers = {key: value.encode() for key, value in (headers or {}).items()}
        if isinstance(body, str):
            body = body.encode()
        with self.client.request(
            method, url, name=name, headers=headers, cookies=cookies, data=body, allow_redirects=False, catch_response=True
        ) as response:
            if response.status_code == 0:
                response.failure(f"no answer: {getattr(response, 'error', None)}")
            elif want is None or response.status_code // 100 == want // 100:
                response.success()
            else:
                response.failure(f"status {response.status_code}, recorded {want}")
        if PLAIN_TARGET_OF_TLS and self.here.startswith("http:"):
            for cookie in self.client.cookies:
                cookie.secure = False
        return response

    def keep(self, name, found, which=None):
        """Keeps values of a response for later requests; the latest count."""
        if which is not None:
            found = found[which : which + 1]
        if found:
            self.values[name] = found

    def value(self, name, recorded="", index=0):
        """A value kept, or what was recorded where no response had one."""
        found = self.values.get(name)
        return found[index % len(found)] if found else recorded

    def login(self, column, recorded=""):
        """This user's own value of a column of the identities, or what was recorded where there are none."""
        if not IDENTITIES:
            return recorded
        return IDENTITIES[self.identity % len(IDENTITIES)].get(column) or recorded


class Quotas:
    """Ends the test when every profile has played its share of SESSIONS."""

    playing = 0
    waiting = set()

    @classmethod
    def done(cls, user):
        cls.waiting.add(type(user))
        counts = user.environment.runner.user_classes_count
        classes = [each for each in user.environment.user_classes if counts.get(each.__name__)]
        if not all(each in cls.waiting for each in classes):
            return
        while cls.playing:
            time.sleep(0.05)
        # Until the last figures are in the files that Locust writes each second.
        time.sleep(2)
        # Not by the user itself, who would be stopped in the middle of it.
        gevent.spawn(user.environment.runner.quit)


@events.test_start.add_listener
def again(environment, **_):
    Quotas.playing = 0
    Quotas.waiting = set()
    for each in environment.user_classes:
        each.deck = itertools.count()

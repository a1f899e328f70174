#!/usr/bin/env python3
"""Correlations with a real framework: a small Django application with its own CSRF middleware, sessions and log-in.

Recorded through mynah's proxy, masked, profiled without a hand-written rule, and replayed against a second server with another
SECRET_KEY, an empty database and other ids; its accounts are the recorded ones' pseudonyms. Prints the correlations and the share of
answers with the recorded status class. Needs Django (pip install django). Usage: bench/real_framework.py [sessions]
"""

import csv
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.parse

from measure import binary

# Its own process: another secret, another database.
APPLICATION = '''
import os, secrets, sys, uuid
import django
from django.conf import settings

work = sys.argv[2]
settings.configure(
    DEBUG=False, ALLOWED_HOSTS=["*"], SECRET_KEY=secrets.token_hex(32), ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(work, sys.argv[1] + ".db")}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
django.setup()

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.template import engines
from django.urls import path

call_command("migrate", verbosity=0)
for line in open(sys.argv[3]).read().splitlines()[1:]:
    email, password = line.split(",")
    User.objects.create_user(email, password=password)
notes = {}

def page(request, content, **values):
    text = "<html><body><h1>Notes</h1>" + content + "</body></html>"
    return HttpResponse(engines["django"].from_string(text).render(values, request))

def home(request):
    return page(request, "<a href='/login/'>Log in</a>")

def sign_in(request):
    if request.method == "POST":
        user = authenticate(request, username=request.POST["email"], password=request.POST["password"])
        if user is None:
            return HttpResponse("wrong password", status=401)
        login(request, user)
        return HttpResponseRedirect("/notes/")
    return page(request, "<form method=post>{% csrf_token %}<input name=email><input type=password name=password></form>")

def listing(request):
    if not request.user.is_authenticated:
        return HttpResponseRedirect("/login/")
    if request.method == "POST":
        key = str(uuid.uuid4())
        notes[key] = (request.session.session_key, request.POST["title"])
        return HttpResponseRedirect(f"/notes/{key}/")
    return page(request, "<form method=post>{% csrf_token %}<input name=title></form>")

def note(request, key):
    if notes.get(str(key), (None,))[0] != request.session.session_key:
        return HttpResponse("no such note", status=404)
    if request.method == "PUT":
        return JsonResponse({"saved": True})
    return page(request, "<p>{{ title }}</p><form method=post action='/logout/'>{% csrf_token %}</form>", title=notes[str(key)][1])

def sign_out(request):
    logout(request)
    return HttpResponseRedirect("/")

urlpatterns = [path("", home), path("login/", sign_in), path("notes/", listing), path("notes/<uuid:key>/", note),
               path("logout/", sign_out)]

from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from django.core.wsgi import get_wsgi_application

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
print(server.server_port, flush=True)
server.serve_forever()
'''


class Browser:
    """A connection and a cookie jar."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.cookies = {}

    def send(self, method, target, form=None, headers=None):
        headers = {"User-Agent": "Mozilla/5.0 bench", **(headers or {})}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, target, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        for field in answer.headers.get_all("Set-Cookie") or []:
            name, value = field.split(";")[0].split("=", 1)
            self.cookies[name] = value
            if "Max-Age=0" in field:
                del self.cookies[name]
        if answer.status in (301, 302):
            return self.send("GET", answer.headers["Location"])
        assert answer.status == 200, (method, target, answer.status, text)
        return target, text

    def close(self):
        self.connection.close()


def hidden(text):
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)[1]


def visit(port, dice, account):
    """One of several ways through."""
    browser = Browser(port)
    browser.send("GET", "/")
    if dice.random() < 0.2:
        return browser.close()
    _, text = browser.send("GET", "/login/")
    form = {"csrfmiddlewaretoken": hidden(text), "email": account[0], "password": account[1]}
    _, text = browser.send("POST", "/login/", form)
    for _ in range(dice.randint(1, 3)):
        where, text = browser.send("POST", "/notes/", {"csrfmiddlewaretoken": hidden(text), "title": "Milk"})
        if dice.random() < 0.6:
            # as a script does: the token of the cookie in a header
            browser.send("PUT", where, headers={"X-CSRFToken": browser.cookies["csrftoken"]})
        token = hidden(text)
        _, text = browser.send("GET", "/notes/")
    if dice.random() < 0.5:
        browser.send("POST", "/logout/", {"csrfmiddlewaretoken": token})
    browser.close()


def main():
    mynah = binary()
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    work = tempfile.mkdtemp(prefix="mynah-django-")
    with open(os.path.join(work, "application.py"), "w") as out:
        out.write(APPLICATION)
    accounts = [(f"user{n}@mail.example", f"oak-river-{100 + n}") for n in range(20)]
    with open(os.path.join(work, "accounts.csv"), "w", newline="") as out:
        csv.writer(out).writerows([("email", "password"), *accounts])
    running = []

    def serve(name, file):
        python = [sys.executable, "application.py", name, work, os.path.join(work, file)]
        process = subprocess.Popen(python, cwd=work, stdout=subprocess.PIPE, text=True)
        running.append(process)
        port = process.stdout.readline().strip()
        if not port:
            sys.exit("bench: Django is needed: pip install django")
        return f"http://127.0.0.1:{port}"

    def run(*args):
        done = subprocess.run([mynah, *args], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    try:
        upstream = serve("recorded", "accounts.csv")
        proxy = subprocess.Popen([mynah, "capture", "--listen", "127.0.0.1:0", "--upstream", upstream, "-o", "t.mynah",
                                  "--key-file", "key"], cwd=work, stderr=subprocess.PIPE, text=True)
        running.append(proxy)
        line = ""
        while not line.startswith("recording"):
            line = proxy.stderr.readline()
        port = int(line.split()[2].rsplit(":", 1)[1])
        for number in range(sessions):
            visit(port, random.Random(number), accounts[number % len(accounts)])
        proxy.send_signal(signal.SIGINT)
        proxy.stderr.read()
        assert proxy.wait() == 0
        run("profile", "t.mynah", "-o", "s.toml")
        run("mask-value", "--key-file", "key", "--csv", "accounts.csv", "--column", "email=email", "--column",
            "password=password", "-o", "masked.csv")
        target = serve("fresh", "masked.csv")
        run("replay", "s.toml", "--target", target, "--rate", "1x", "--for", "5s", "-o", "run")
    finally:
        for process in running:
            process.kill()
    scenario = tomllib.load(open(os.path.join(work, "s.toml"), "rb"))
    found = scenario.get("correlation", [])
    for correlation in [{"name": name, **one} for name, one in found.items()] if isinstance(found, dict) else found:
        print(f"{correlation['name']}: {', '.join(correlation['from'])}  ->  {', '.join(correlation['to'])}")
    figures = json.load(open(os.path.join(work, "run", "run.json")))
    for row in figures["failure_rows"]:
        print(f"failed: {row['occurrences']} x {row['method']} {row['name']}: {row['error']}")
    parity = figures["fidelity"]["status_parity"]
    print(f"{figures['requests']} requests to a fresh Django, {100 * parity:.2f} % with the recorded status class")


if __name__ == "__main__":
    main()

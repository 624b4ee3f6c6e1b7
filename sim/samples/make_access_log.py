#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a day of a staging gateway's access log, in the combined format, to standard output.

    python3 make_access_log.py > access.log

Nobody's requests are in it: it is drawn from a random generator with a fixed seed, so the same
program always writes the same day. Its shape is that of such logs: colleagues use the API and the
pages that belong to it in office hours, less at noon; a load balancer checks health all day long;
crawlers and scanners come when they like; the night belongs to these.
"""

import datetime
import random

SEED = 20260512
DAY = datetime.datetime(2026, 5, 12, tzinfo=datetime.timezone.utc)  # a Tuesday
HEALTH_CHECK_S = 30

PEOPLE = [
    ("10.0.3.17", "Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0"),
    ("10.0.3.22", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 "
                  "(KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36"),
    ("10.0.3.40", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
                  "(KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36 Edg/136.0.0.0"),
    ("2001:db8:12::2f", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) "
                        "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 "
                        "Safari/604.1"),
    ("10.0.7.5", "okhttp/4.12.0"),
    ("10.0.7.9", "python-requests/2.32.3"),
]

# Weight, method, path, answers.
API = [
    (30, "GET", "/api/v1/orders?page={page}", (200, 200, 200, 200, 304)),
    (22, "GET", "/api/v1/orders/{id}", (200, 200, 200, 404)),
    (10, "POST", "/api/v1/orders", (201, 201, 201, 422)),
    (8, "PATCH", "/api/v1/orders/{id}", (200, 200, 409)),
    (14, "GET", "/api/v1/customers/{id}", (200, 200, 200, 403)),
    (10, "GET", "/api/v1/search?q=caf%C3%A9+{page}", (200, 200, 504)),
    (6, "POST", "/api/v1/login", (200, 200, 401)),
]

STATIC = ["/", "/assets/app.3f9c2b.js", "/assets/app.91ab07.css", "/assets/logo.svg",
          "/favicon.ico"]

BOTS = [
    ("66.249.66.1", "GET", "/robots.txt", 404,
     "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("157.55.39.107", "GET", "/", 200,
     "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    ("203.0.113.44", "GET", "/wp-login.php", 404, "Mozilla/5.0"),
    ("203.0.113.98", "GET", "/.env", 404, "-"),
    ("198.51.100.7", "POST", "/boaform/admin/formLogin", 404, r"\"Mozilla/5.0"),
]

# What reaches an open port and is no HTTP.
NOISE = [r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", "-", r"MGLNDD_198.51.100.23_443\n"]

# Sittings of work an hour, by hour of the day (UTC). Lunch is at twelve.
OFFICE_HOURS = {7: 2, 8: 9, 9: 16, 10: 18, 11: 14, 12: 3, 13: 12, 14: 17, 15: 16, 16: 11, 17: 5,
                18: 1}


def line(client, moment, request, status, size, referer, agent):
    stamp = moment.strftime("%d/%b/%Y:%H:%M:%S %z")
    return f'{client} - - [{stamp}] "{request}" {status} {size} "{referer}" "{agent}"'


def health_checks(rng):
    offset = rng.uniform(0, HEALTH_CHECK_S)
    for n in range(24 * 3600 // HEALTH_CHECK_S):
        moment = DAY + datetime.timedelta(seconds=n * HEALTH_CHECK_S + offset)
        yield moment, line(rng.choice(("10.0.12.31", "10.0.13.44")), moment,
                           "GET /healthz HTTP/1.1", 200, 2, "-", "ELB-HealthChecker/2.0")


def api_request(rng):
    _, method, path, answers = rng.choices(API, [entry[0] for entry in API])[0]
    path = path.format(page=rng.randrange(1, 12), id=rng.randrange(10000, 99999))
    status = rng.choice(answers)
    size = "-" if status == 304 else rng.randrange(80, 9000)
    return f"{method} {path} HTTP/1.1", status, size


def sitting(rng, start):
    """Somebody opens a page, or a script wakes up, and a run of calls follows."""
    client, agent = rng.choice(PEOPLE)
    moment = start
    referer = "-"
    if agent.startswith("Mozilla"):
        referer = "https://staging.example.com/"
        for path in STATIC:
            if rng.random() < 0.6:
                yield moment, line(client, moment, f"GET {path} HTTP/1.1",
                                   rng.choice((200, 304)), rng.randrange(200, 90000), referer,
                                   agent)
                moment += datetime.timedelta(seconds=rng.uniform(0, 0.5))
    for _ in range(rng.randrange(3, 18)):
        request, status, size = api_request(rng)
        yield moment, line(client, moment, request, status, size, referer, agent)
        moment += datetime.timedelta(seconds=rng.expovariate(1 / 12))


def office(rng):
    for hour, sittings in OFFICE_HOURS.items():
        for _ in range(sittings):
            # At noon they go together, and are back by one.
            minute = rng.uniform(0, 12) if hour == 12 else rng.uniform(0, 58)
            start = DAY + datetime.timedelta(hours=hour, minutes=minute)
            yield from sitting(rng, start)


def visitors(rng):
    for _ in range(110):
        moment = DAY + datetime.timedelta(seconds=rng.uniform(0, 24 * 3600 - 1))
        client, method, path, status, agent = rng.choice(BOTS)
        yield moment, line(client, moment, f"{method} {path} HTTP/1.1", status, 153, "-", agent)
    for _ in range(9):
        moment = DAY + datetime.timedelta(seconds=rng.uniform(0, 24 * 3600 - 1))
        yield moment, line("198.51.100.23", moment, rng.choice(NOISE), 400, 150, "-", "-")


def main():
    rng = random.Random(SEED)
    events = [*health_checks(rng), *office(rng), *visitors(rng)]
    for _, text in sorted(events):
        print(text)


if __name__ == "__main__":
    main()

"""What every answer tells the browser to refuse. There is no inline script or style, so nothing is excepted."""

from __future__ import annotations

from flask import Flask, Response, current_app, request

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer a browser sends "Origin: null" with our own forms, which is what a forger's look like.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "X-Robots-Tag": "noindex",
}
A_YEAR = 31_536_000
# Served to anyone, with nothing about anybody; an address with ``v`` changes with its content.
STYLE_FILES = ("static", "administration.brand_css")
# Pages that a search engine may list: the front page of the service and its published events.
MAY_BE_LISTED = "may_be_listed"


def may_be_listed(view):  # type: ignore[no-untyped-def]
    """Marks a public page that search engines may show."""
    setattr(view, MAY_BE_LISTED, True)
    return view


def protect(response: Response) -> Response:
    """Add the headers. A view may set a stricter policy of its own (a download in a sandbox); it is left alone."""
    if "Content-Security-Policy" in response.headers:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
    else:
        response.headers.extend(HEADERS)
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, MAY_BE_LISTED, False) and response.status_code == 200:
        del response.headers["X-Robots-Tag"]
    if current_app.extensions["crm_settings"].cookie_secure:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={A_YEAR}; includeSubDomains")
    if request.endpoint in STYLE_FILES and response.status_code in (200, 304):
        lasting = "v" in request.args
        response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable" if lasting else "public, max-age=300"
    elif "Cache-Control" not in response.headers or request.endpoint not in STYLE_FILES:
        response.headers["Cache-Control"] = "no-store"
    return response


def init_app(app: Flask) -> None:
    app.after_request(protect)

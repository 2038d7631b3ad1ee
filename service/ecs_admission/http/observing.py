"""Tells of each request: that a thread is busy with it, where it went, and how it was answered."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request

from ecs_admission.observation import Observe, RequestBegan, RequestEnded, unobserved

_NAME = "ecs_admission.observe"


def observer(app: Any) -> Observe:
    """Who observes an application: for a server that refuses what does not come as far as that."""
    found: Observe = getattr(app, "extensions", {}).get(_NAME, unobserved)
    return found


def install(app: Flask, observe: Observe) -> None:
    """Have every request of an application observed, those that are refused at the door included."""

    app.extensions[_NAME] = observe

    @app.before_request
    def began() -> None:
        g.status = None
        observe(RequestBegan())

    @app.after_request
    def answered(response: Response) -> Response:
        g.status = response.status_code
        return response

    @app.teardown_request
    def ended(_: BaseException | None) -> None:
        observe(RequestEnded(request.endpoint, g.status))

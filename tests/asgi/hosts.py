"""How the app is mounted in each framework. The pages of the documentation show what stands between the marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from convergekit.asgi import App

__all__ = ["HOSTS", "MOUNTED"]


def starlette(hooks: App) -> App:
    # [starlette]
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    def page(request: Any) -> PlainTextResponse:
        return PlainTextResponse("a page")

    app = Starlette(routes=[Route("/page", page), Mount("/hooks", app=hooks)])
    # [starlette end]
    return app


def fastapi(hooks: App) -> App:
    # [fastapi]
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/page")
    async def page() -> str:
        return "a page"

    app.mount("/hooks", hooks)
    # [fastapi end]
    return app


def litestar(hooks: App) -> Any:
    # [litestar]
    from litestar import Litestar, asgi, get

    @get("/page")
    async def page() -> str:
        return "a page"

    mounted = asgi("/hooks", is_mount=True, copy_scope=True)(hooks)
    app = Litestar([page, mounted], logging_config=None)  # which leaves the logging of the process as it is
    # [litestar end]
    return app


def quart(hooks: App) -> Any:
    # [quart]
    from quart import Quart

    from convergekit.asgi import compose

    app = Quart(__name__)

    @app.get("/page")
    async def page() -> str:
        return "a page"

    app.asgi_app = compose(app.asgi_app, {"/hooks": hooks})  # `app` stays what the server is given
    # [quart end]
    return app


def django(hooks: App) -> App:
    _django_set_up()
    # [django]
    from django.core.asgi import get_asgi_application

    from convergekit.asgi import compose

    application = compose(get_asgi_application(), {"/hooks": hooks})
    # [django end]
    return application


@cache
def _django_set_up() -> None:
    """What a project's settings do; once in a process."""
    import sys
    from types import ModuleType

    from django.conf import settings
    from django.http import HttpResponse
    from django.urls import path

    async def page(request: Any) -> HttpResponse:
        return HttpResponse("a page")

    urls = ModuleType("pages_of_django")
    urls.urlpatterns = [path("page", page)]  # type: ignore[attr-defined]
    sys.modules[urls.__name__] = urls
    # Not the logging of a project: it would change that of all other tests.
    settings.configure(ROOT_URLCONF=urls.__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="test", LOGGING_CONFIG=None)


def hypercorns_own(hooks: App) -> Any:
    from hypercorn.middleware import DispatcherMiddleware

    return DispatcherMiddleware({"/hooks": hooks, "": starlette(hooks)})


#: Mounts at /hooks; a page of the host's own is at /page.
MOUNTED: Mapping[str, Callable[[App], Any]] = {
    "starlette": starlette,
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
    "django": django,
    "hypercorn's own": hypercorns_own,
}

#: Where each can run; Quart and Django know asyncio only.
HOSTS = [
    (host, server)
    for host in MOUNTED
    for server in ("uvicorn", "hypercorn-asyncio", "hypercorn-trio")
    if not (host in {"quart", "django"} and server == "hypercorn-trio")
    and not (host == "hypercorn's own" and server != "hypercorn-asyncio")
]

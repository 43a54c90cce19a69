"""Pages of the test site. They answer in JSON; logging in and out is Django's own."""

import sys
import threading

from django.core.cache import cache
from django.http import HttpResponse, HttpResponseServerError, JsonResponse
from django.views.decorators.http import require_POST

WAIT_S = 20

slow_has_entered = threading.Event()
slow_may_finish = threading.Event()


def whoami(request):
    """Whom the session names; reads the session only."""
    return JsonResponse({"user": request.user.get_username()})


def counter(request):
    """Write the session at every visit."""
    request.session["count"] = request.session.get("count", 0) + 1
    return JsonResponse({"count": request.session["count"]})


@require_POST
def expire_after(request):
    request.session.set_expiry(int(request.POST["seconds"]))
    return JsonResponse({})


@require_POST
def write_object_cache(request):
    cache.set("page", request.POST["value"])
    return JsonResponse({})


def read_object_cache(request):
    return JsonResponse({"value": cache.get("page")})


@require_POST
def clear_object_cache(request):
    cache.clear()
    return JsonResponse({})


def slow(request):
    """Load the session, stay in flight until told to finish, then change the session."""
    count = request.session.get("count", 0)
    slow_has_entered.set()
    if not slow_may_finish.wait(WAIT_S):
        return HttpResponse("nobody let the request finish", status=504)
    request.session["count"] = count + 100
    return JsonResponse({})


def slow_entered(request):
    """Answer when a request is in flight in slow()."""
    return JsonResponse({"entered": slow_has_entered.wait(WAIT_S)})


def slow_finish(request):
    slow_may_finish.set()
    return JsonResponse({})


def server_error(request):
    """The error page shows the error: it is what the test reads."""
    kind, error, _ = sys.exc_info()
    return HttpResponseServerError("%s: %s" % (kind.__name__, error))

"""Addresses of the test site."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

import views

urlpatterns = [
    path("login/", LoginView.as_view()),
    path("logout/", LogoutView.as_view()),
    path("whoami/", views.whoami),
    path("counter/", views.counter),
    path("expire-after/", views.expire_after),
    path("object-cache/write/", views.write_object_cache),
    path("object-cache/read/", views.read_object_cache),
    path("object-cache/clear/", views.clear_object_cache),
    path("slow/", views.slow),
    path("slow/entered/", views.slow_entered),
    path("slow/finish/", views.slow_finish),
]

handler500 = "views.server_error"

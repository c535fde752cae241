"""The same shop, with workers in each process of the server."""

from fastapi import FastAPI
from honker.contrib import asgi
from shop import web as shop
from tasks import app

web = FastAPI(lifespan=asgi.lifespan(app, workers=2, grace_s=3))
web.mount("/", shop)

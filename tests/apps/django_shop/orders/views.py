from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from orders.models import Order
from orders.tasks import send_confirmation


@csrf_exempt
def create_order(request):
    with transaction.atomic():
        order = Order.objects.create(customer=request.POST["customer"])
        job = send_confirmation(order.pk, pause_s=float(request.POST.get("pause", 0)))
        if request.POST.get("fails"):
            raise RuntimeError("the payment was refused")
    return JsonResponse({"order": order.pk, "job": job.id})


def version(request):
    return HttpResponse("version 1")

"""Products, what they can do, what was asked of them, and orders."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from qadb.demo.plan import DAYS, Batch, Row, Scene, batch, draw_uuid
from qadb.models import Feature, Order, Product, UserStory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

ORDERS = 60
SHIPPING = Decimal("4.90")
MADE_DAYS_AGO = 190

_GOODS = (
    ("Notebook, dotted", Decimal("12.50")),
    ("Fountain pen", Decimal("34.00")),
    ("Ink, petrol blue", Decimal("9.90")),
    ("Desk lamp", Decimal("79.00")),
    ("Café au lait bowl", Decimal("14.20")),
)
# The newest orders are the ones still open.
_STATUSES = ("completed", "completed", "completed", "cancelled", "completed")
_OPEN_STATUSES = ("pending", "processing")

_WISHES = (
    ("{section}: works without a mouse", "Every control can be reached and told by keyboard."),
    ("{section}: answers within a second", "95 of 100 answers come within a second at peak hour."),
)


def products(scene: Scene) -> Iterator[Batch]:
    """A product an application, a feature a section, two stories a feature, and orders."""
    yield batch(Product, [*_products(scene)])
    yield batch(Feature, [*_features(scene)])
    yield batch(UserStory, [*_stories(scene)])
    yield batch(Order, [*_orders(scene, scene.rng("orders"))])


def _products(scene: Scene) -> Iterator[Row]:
    at = scene.plan.ago(MADE_DAYS_AGO)
    price = Decimal("49.00")
    for place, app in enumerate(scene.company.apps, start=1):
        row = scene.row(
            Product,
            at,
            external_id=f"P-{place:03}",
            sku=f"{app.code}-std",
            name=app.name,
            description=app.description,
            category="software",
            price=price * place,
            inventory_quantity=0,
            status="published",
            tags=["subscription", app.code],
            extra_data={"owner": scene.company.people[0].username},
        )
        scene.products[app.code] = scene.counted[Product.__tablename__]
        yield row


def _features(scene: Scene) -> Iterator[Row]:
    for app in scene.company.apps:
        for section in dict.fromkeys(suite.section for suite in app.suites):
            row = scene.row(
                Feature,
                scene.plan.ago(MADE_DAYS_AGO),
                product_id=scene.products[app.code],
                external_id=f"F-{app.code}-{section.lower()}",
                section_id=section.lower(),
                section_name=section,
                title=f"{section} of the {app.name.lower()}",
                description=f"All that {section.lower()} can do.",
            )
            scene.features[f"{app.code}/{section}"] = scene.counted[Feature.__tablename__]
            yield row


def _stories(scene: Scene) -> Iterator[Row]:
    for key, feature_id in scene.features.items():
        code, _, section = key.partition("/")
        for title, requirements in _WISHES:
            yield scene.row(
                UserStory,
                scene.plan.ago(MADE_DAYS_AGO - 12),
                product_id=scene.products[code],
                feature_id=feature_id,
                section_id=section.lower(),
                title=title.format(section=section),
                requirements=requirements,
            )


def _orders(scene: Scene, rng: Random) -> Iterator[Row]:
    buyers = [*scene.users.values(), None, None]  # guests order too
    for number in range(ORDERS):
        goods = rng.sample(_GOODS, rng.randint(1, 3))
        items = [(name, price, rng.randint(1, 4)) for name, price in goods]
        subtotal = sum((price * quantity for _, price, quantity in items), Decimal(0))
        is_open = number >= ORDERS - len(_OPEN_STATUSES)
        statuses = _OPEN_STATUSES if is_open else _STATUSES
        at = scene.plan.ago(DAYS * (1 - (number + rng.random()) / (ORDERS + 1)))
        yield {
            "id": draw_uuid(rng),
            **scene.unnumbered(
                at,
                order_number=f"{at:%Y}-{number + 1:05}",
                user_id=rng.choice(buyers),
                status=statuses[number % len(statuses)],
                subtotal=subtotal,
                total_price=subtotal + SHIPPING,
                items=[
                    {"name": name, "price": str(price), "quantity": quantity}
                    for name, price, quantity in items
                ],
                extra_data={"currency": "EUR", "shipping": str(SHIPPING)},
            ),
        }

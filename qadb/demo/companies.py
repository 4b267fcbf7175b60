"""Who the demo is about: two companies, their people, software and tests.

The first works in the tenant that every command uses by default. The second's tenant is named so
that nobody's own is taken for it: it is what a demo database is recognised by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qadb.models.mixins import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO_TENANT = "qadb-demo"
PERFORMANCE = "performance"


@dataclass(frozen=True, slots=True)
class Person:
    """A user, whose role is one of the reference data."""

    username: str
    first_name: str
    last_name: str
    role: str


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests of one module.

    Attributes:
        name: the module below the application's tests, such as ``checkout.test_cart``.
        section: the part of the product that it tests.
        kind: code of a test type.
        mean_ms: how long one of its tests takes.
        tests: their names without ``test_``.
    """

    name: str
    section: str
    kind: str
    mean_ms: int
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A kind of request that is measured under load.

    Attributes:
        p95_ms: its 95th percentile when all is well.
        promised_ms: what the SLA allows for that.
        drift: the factor of the last week.
    """

    name: str
    p95_ms: float
    promised_ms: int
    drift: float = 1.0


@dataclass(frozen=True, slots=True)
class App:
    """An application under test.

    Attributes:
        runs: how many in the period, those under load aside.
    """

    code: str
    name: str
    description: str
    runs: int
    first_build: int
    suites: tuple[Suite, ...]
    requests: tuple[Request, ...]

    def tests(self) -> Iterator[tuple[Suite, str]]:
        """Every test with its suite, in the order of their ids."""
        for suite in self.suites:
            for name in suite.tests:
                yield suite, f"test_{name}"


@dataclass(frozen=True, slots=True)
class Company:
    """A tenant and what it has."""

    tenant_id: str
    name: str
    country: str
    people: tuple[Person, ...]
    apps: tuple[App, ...]


def _suite(name: str, section: str, kind: str, mean_ms: int, tests: str) -> Suite:
    return Suite(name, section, kind, mean_ms, tuple(tests.split()))


SHOP = App(
    code="shop",
    name="Web shop",
    description="What customers see: catalogue, cart, checkout and their account.",
    runs=76,
    first_build=1207,
    suites=(
        _suite(
            "catalogue.test_search", "Catalogue", "integration", 240,
            "finds_by_name finds_by_ean ignores_accents ignores_case suggests_while_typing"
            " sorts_by_price sorts_large_result pages_through_results filters_by_category"
            " hides_drafts shows_nothing_for_nonsense",
        ),
        _suite(
            "catalogue.test_product_page", "Catalogue", "ui", 900,
            "shows_price shows_stock zooms_image shows_reviews adds_to_cart shows_variants"
            " keeps_language warns_when_sold_out shares_link",
        ),
        _suite(
            "checkout.test_cart", "Checkout", "unit", 12,
            "starts_empty adds_item adds_item_twice removes_item changes_quantity"
            " refuses_negative_quantity sums_up keeps_items_after_login merges_guest_cart"
            " expires_after_30_days converts_currency",
        ),
        _suite(
            "checkout.test_voucher", "Checkout", "unit", 9,
            "applies_percentage applies_amount applies_free_shipping refuses_expired"
            " refuses_second_use combines_with_sale keeps_total_above_zero lists_used"
            " is_case_insensitive",
        ),
        _suite(
            "checkout.test_payment_form", "Checkout", "ui", 1400,
            "accepts_card accepts_invoice refuses_wrong_checksum keeps_address shows_total"
            " shows_error_of_bank returns_after_3d_secure prints_receipt",
        ),
        _suite(
            "account.test_login", "Account", "integration", 180,
            "accepts_password refuses_wrong_password locks_after_five_tries unlocks_by_mail"
            " remembers_device signs_out_everywhere accepts_passkey refuses_unknown_mail"
            " redirects_back limits_rate",
        ),
        _suite(
            "account.test_profile", "Account", "unit", 15,
            "changes_name changes_mail_after_confirmation adds_address removes_address"
            " shows_orders exports_data deletes_account keeps_newsletter_choice"
            " validates_postcode uploads_photo",
        ),
        _suite(
            "load.test_peak_hour", "Catalogue", PERFORMANCE, 60_000,
            "searches browses fills_carts checks_out",
        ),
    ),
    requests=(
        Request("GET /search", 182, 250),
        Request("GET /products/{id}", 96, 150),
        Request("POST /cart", 71, 120),
        Request("POST /checkout", 468, 500, drift=1.12),
    ),
)  # fmt: skip

PAYMENTS = App(
    code="payments",
    name="Payments service",
    description="Authorises, captures and refunds; keeps the ledger.",
    runs=60,
    first_build=562,
    suites=(
        _suite(
            "api.test_authorise", "Payments", "api", 120,
            "accepts_valid_card refuses_expired_card refuses_without_funds asks_for_3d_secure"
            " is_idempotent keeps_reference limits_amount rounds_half_up times_out_at_bank",
        ),
        _suite(
            "api.test_capture", "Payments", "api", 110,
            "captures_all captures_part refuses_more_than_authorised refuses_twice"
            " expires_after_seven_days is_idempotent notifies_shop",
        ),
        _suite(
            "api.test_refund", "Refunds", "api", 130,
            "refunds_all refunds_part refuses_more_than_captured refuses_twice is_idempotent"
            " notifies_shop books_fee_back keeps_reason",
        ),
        _suite(
            "ledger.test_bookings", "Ledger", "unit", 18,
            "balances_to_zero books_both_sides refuses_one_side closes_day reopens_day"
            " exports_csv survives_restart numbers_without_gaps",
        ),
        _suite(
            "ledger.test_rounding", "Ledger", "unit", 4,
            "rounds_eur rounds_chf_to_five rounds_jpy_to_whole splits_without_loss"
            " sums_in_any_order converts_there_and_back",
        ),
        _suite(
            "fraud.test_rules", "Fraud", "integration", 210,
            "flags_many_cards flags_far_address flags_high_amount passes_regular_customer"
            " learns_from_decision explains_decision expires_flags",
        ),
        _suite(
            "webhooks.test_delivery", "Webhooks", "integration", 320,
            "delivers_once retries_after_500 gives_up_after_a_day signs_body keeps_order"
            " skips_disabled_endpoint lists_failures",
        ),
        _suite(
            "load.test_black_friday", "Payments", PERFORMANCE, 90_000,
            "authorises captures refunds",
        ),
    ),
    requests=(
        Request("POST /payments", 264, 400, drift=1.34),
        Request("GET /payments/{id}", 38, 60),
        Request("POST /refunds", 301, 400),
    ),
)  # fmt: skip

LIBRARY = App(
    code="library",
    name="Reading room",
    description="Finds books, lends them and asks for them back.",
    runs=30,
    first_build=88,
    suites=(
        _suite(
            "search.test_titles", "Search", "integration", 160,
            "finds_title finds_author ignores_accents suggests_while_typing"
            " sorts_by_year pages_through_results finds_isbn shows_copies",
        ),
        _suite(
            "loans.test_due_dates", "Loans", "unit", 8,
            "adds_four_weeks skips_holidays renews_twice refuses_third_renewal reminds_in_time"
            " charges_fee waives_fee_for_children",
        ),
        _suite(
            "readers.test_cards", "Readers", "unit", 11,
            "issues_card replaces_lost_card blocks_card refuses_blocked_card expires_after_year"
            " keeps_history_private",
        ),
        _suite("load.test_opening_hour", "Search", PERFORMANCE, 45_000, "searches borrows"),
    ),
    requests=(Request("GET /titles", 140, 300), Request("POST /loans", 88, 200)),
)  # fmt: skip

COMPANIES = (
    Company(
        tenant_id=DEFAULT_TENANT,
        name="Larkspur Trading",
        country="DE",
        people=(
            Person("ada", "Ada", "Okafor", "admin"),
            Person("gerda", "Gerda", "Müller", "analyst"),
            Person("jules", "Jules", "Lefèvre", "operator"),
            Person("mei", "Mei", "Tanaka", "viewer"),
            Person("ci-bot", "CI", "Bot", "operator"),
        ),
        apps=(SHOP, PAYMENTS),
    ),
    Company(
        tenant_id=DEMO_TENANT,
        name="Harbour Books (demo)",
        country="NL",
        people=(
            Person("sanne", "Sanne", "de Wit", "admin"),
            Person("tomas", "Tomáš", "Novák", "operator"),
            Person("ci-bot", "CI", "Bot", "operator"),
        ),
        apps=(LIBRARY,),
    ),
)

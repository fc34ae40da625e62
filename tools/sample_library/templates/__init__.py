"""The shared template of every kind, in terms of a kit's parts."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tools.sample_library.templates import controls, navigation, showcase

if TYPE_CHECKING:
    from tools.sample_library.content import Component
    from tools.sample_library.kit import Kit

TEMPLATES: Mapping[str, Callable[["Kit", "Component"], str]] = {
    "button-group": controls.button_group, "card": showcase.card, "navbar": navigation.navbar,
    "hero": showcase.hero,
    "pricing-table": showcase.pricing_table, "login-form": controls.login_form,
    "data-table": controls.data_table,
    "modal": controls.modal, "footer": navigation.footer, "alert": controls.alert,
    "tabs": navigation.tabs, "accordion": controls.accordion,
    "pagination": navigation.pagination, "profile": showcase.profile, "gallery": showcase.gallery,
    "chart": showcase.chart,
    "breadcrumb": navigation.breadcrumb, "stats": showcase.stats,
    "testimonial": showcase.testimonial, "sidebar": navigation.sidebar,
}

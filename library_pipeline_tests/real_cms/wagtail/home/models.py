"""A component as a Wagtail page, with the `api_fields` that the preset `wagtail` asks for."""

from __future__ import annotations

from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey
from taggit.models import TaggedItemBase
from wagtail.admin.panels import FieldPanel
from wagtail.api import APIField
from wagtail.models import Page


class ComponentPageTag(TaggedItemBase):
    """A tag of a component."""

    content_object = ParentalKey(
        "home.ComponentPage", on_delete=models.CASCADE, related_name="tagged_items"
    )


class ComponentPage(Page):
    """A component with its screenshot, an image of Wagtail's image library."""

    component_client = models.CharField(max_length=200, blank=True)
    component_category = models.CharField(max_length=200, blank=True)
    tags = ClusterTaggableManager(through=ComponentPageTag, blank=True)
    config = models.JSONField(default=dict, blank=True)
    format = models.TextField(blank=True)
    records = models.JSONField(default=list, blank=True)
    screenshot = models.ForeignKey(
        "wagtailimages.Image", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    own_fields = (
        "component_client",
        "component_category",
        "tags",
        "config",
        "format",
        "records",
        "screenshot",
    )
    content_panels = (*Page.content_panels, *(FieldPanel(name) for name in own_fields))
    api_fields = tuple(
        APIField(name) for name in (*own_fields, "screenshot_hash", "last_published_at")
    )

    @property
    def screenshot_hash(self) -> str | None:
        """The SHA-1 of the image's file, which another file under the same name changes."""
        return self.screenshot.get_file_hash() if self.screenshot else None

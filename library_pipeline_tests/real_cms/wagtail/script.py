"""The changes that a test makes, by the ways that Wagtail's admin makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.text import slugify
from wagtail.images import get_image_model
from wagtail.images.forms import get_image_form
from wagtail.models import Collection, Page, Site

from library_pipeline_tests.real_cms.wagtail.home.models import ComponentPage
from tools.testing.bundles import picture

Image = get_image_model()


def fill(components: int) -> None:
    """Publish so many components, named Component 0, 1, ..., of two clients, as imports do."""
    home, now = Site.objects.get(is_default_site=True).root_page, timezone.now()
    for number in range(components):
        name = f"Component {number}"
        image = Image(title=name)
        image.file.save(f"{slugify(name)}.png", _png(name, name), save=False)
        image._set_image_file_metadata()
        image.save()
        page = ComponentPage(
            title=name,
            slug=slugify(name),
            component_client="north" if number % 2 else "south",
            component_category=("card", "hero", "list")[number % 3],
            config={"width": 320},
            format="<section>{{ title }}</section>",
            records=[{"title": name}],
            screenshot=image,
            first_published_at=now,
            last_published_at=now,
        )
        page.tags.add("test", f"tag-{number % 5}")
        home.add_child(instance=page)


def add(
    *,
    name: str,
    picture_seed: str | None = None,
    client: str = "north",
    category: str = "card",
    tags: list[str] | None = None,
    config: object = None,
    publish: bool = True,
) -> int:
    """Create a component with an image of its own, and return the page's id."""
    page = ComponentPage(
        title=name,
        slug=slugify(name),
        component_client=client,
        component_category=category,
        config={"width": 320} if config is None else config,
        format="<section>{{ title }}</section>",
        records=[{"title": name}],
        screenshot=_upload(None, f"{slugify(name)}.png", picture_seed or name),
        live=False,
    )
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.tags.set(tags or [])
    revision = page.save_revision()
    if publish:
        revision.publish()
    return page.id


def edit(*, page: int, **fields: Any) -> None:
    """Give the fields of a component other values (`title`, `component_client`, ...), published."""
    component = _draft(page)
    tags = fields.pop("tags", None)
    for name, value in fields.items():
        setattr(component, name, value)
    if tags is not None:
        component.tags.set(tags)
    component.save_revision().publish()


def replace_image(
    *, page: int, picture_seed: str, republish: bool = False, keep_name: bool = False
) -> None:
    """Give the same Image another file, as the image's form does; the page is not touched.

    `republish` also publishes the page, which sets its last_published_at. With `keep_name` the new
    file is under the old one's name, as on storages that overwrite, so no URL changes.
    """
    component = ComponentPage.objects.get(pk=page)
    image = component.screenshot
    if keep_name:
        _overwrite(image, picture_seed)
    else:
        _upload(image, f"{slugify(picture_seed)}.png", picture_seed)
    if republish:
        _draft(page).save_revision().publish()


def unpublish(*, page: int) -> None:
    """Take a component off the site; its draft stays."""
    ComponentPage.objects.get(pk=page).unpublish()


def publish(*, page: int) -> None:
    """Publish a component's latest draft."""
    _draft(page).save_revision().publish()


def delete(*, page: int) -> None:
    """Delete a component; its image stays in the library, as Wagtail has it."""
    Page.objects.get(pk=page).specific.delete()


CHANGES: Mapping[str, Any] = {
    each.__name__: each for each in (add, edit, replace_image, unpublish, publish, delete)
}


def _draft(page: int) -> ComponentPage:
    return ComponentPage.objects.get(pk=page).get_latest_revision_as_object()


def _upload(image: Any, name: str, seed: str) -> Any:
    """Return the image, new or with another file, after the form of Wagtail's admin."""
    root = Collection.get_first_root_node()
    form = get_image_form(Image, ["title", "file", "tags"])(
        {"title": name, "collection": root.pk, "tags": ""},
        {"file": _png(name, seed)},
        instance=image or Image(),
    )
    if not form.is_valid():
        raise ValueError(f"the image {name} is refused: {form.errors.as_json()}")
    return form.save()


def _overwrite(image: Any, seed: str) -> None:
    name = image.file.name
    image.file.storage.delete(name)
    image.file.storage.save(name, _png(name, seed))
    image = Image.objects.get(pk=image.pk)
    image._set_image_file_metadata()
    image.save()


def _png(name: str, seed: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture(seed), "image/png")

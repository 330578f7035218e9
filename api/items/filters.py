"""How lists of items are asked for."""

from typing import Annotated

from fastapi import Depends, Query

from leitstand.catalogue.listing import LARGEST_PAGE, PAGE, SORTS, STATUSES, Filters
from leitstand.catalogue.visibility import VISIBILITIES

Q = Annotated[str, Query(description="Text that the title contains.", max_length=500)]
Status = Annotated[str, Query(description=f"One of: {', '.join(STATUSES)}.")]
Visibility = Annotated[str, Query(description=f"One of: {', '.join(VISIBILITIES)}.")]
Owner = Annotated[str, Query(description="`me`, or the id of a person.")]
Tag = Annotated[str, Query(description="A tag that they have.")]
Favorites = Annotated[bool, Query(description="Only your favorites.")]
Sort = Annotated[str, Query(description=f"One of: {', '.join(SORTS)}. A cursor holds for its order.")]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]
PAGE_SIZE = PAGE


def wanted(
    q: Q = "",
    status: Status = "",
    visibility: Visibility = "",
    owner: Owner = "",
    tag: Tag = "",
    favorites: Favorites = False,
    sort: Sort = "changed",
) -> Filters:
    """The filters of a request, of items of every kind."""
    return Filters(
        q=q, status=status, visibility=visibility, owner=owner, tag=tag, favorites=favorites, sort=sort
    )


Wanted = Annotated[Filters, Depends(wanted)]

"""The stored names of Catalog's aggregates, events, calls and read models.

A name here never changes. If the fields of an event change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.commerce.catalog.application.authors import EraseReviews
from services.commerce.catalog.domain import authors, categories, events, products, reviews
from services.commerce.catalog.projections import (
    CategoryRow,
    ProductRow,
    ReviewRow,
    category_row,
    product_row,
    review_row,
)

PRODUCTS = Stored(
    "product",
    products.Product,
    events=[
        Shape("product-created", events.ProductCreated),
        Shape("product-described", events.ProductDescribed),
        Shape("price-changed", events.PriceChanged),
        Shape("promotion-started", events.PromotionStarted),
        Shape("promotion-ended", events.PromotionEnded),
        Shape("product-discontinued", events.ProductDiscontinued),
    ],
)

CATEGORIES = Stored("category", categories.Category, events=[Shape("category-created", events.CategoryCreated)])

REVIEWS = Stored(
    "review",
    reviews.Review,
    events=[
        Shape("review-submitted", events.ReviewSubmitted),
        Shape("review-published", events.ReviewPublished),
        Shape("review-rejected", events.ReviewRejected),
    ],
)

AUTHORS = Stored("author", authors.Author, events=[Shape("author-forgotten", events.AuthorForgotten)])

COMMANDS = Names([Shape("erase-reviews", EraseReviews)])

PRODUCT_ROWS = Projection(
    name="products",
    source=PRODUCTS,
    row=ProductRow,
    project=product_row,
    order_by="name",
    filters=("words", "category", "price"),  # the rows found by these are then filtered by currency and `discontinued`
    descending=False,
)

CATEGORY_ROWS = Projection(
    name="categories",
    source=CATEGORIES,
    row=CategoryRow,
    project=category_row,
    order_by="name",
    filters=("parent",),
    descending=False,
)

REVIEW_ROWS = Projection(
    name="reviews",
    source=REVIEWS,
    row=ReviewRow,
    project=review_row,
    order_by="submitted_at",
    filters=("sku", "status"),
)

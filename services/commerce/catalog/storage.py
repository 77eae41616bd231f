"""The stored names of Catalog's aggregates, events and read models.

A name here never changes. If the fields of an event change, its shape gets an upcast.
"""

from treaty.commits import Shape, Stored
from treaty.projections import Projection

from services.commerce.catalog.domain import categories, products, reviews
from services.commerce.catalog.projections import ProductRow, ReviewRow, product_row, review_row

PRODUCTS = Stored(
    "product",
    products.Product,
    events=[
        Shape("product-created", products.ProductCreated),
        Shape("product-described", products.ProductDescribed),
        Shape("price-changed", products.PriceChanged),
        Shape("promotion-started", products.PromotionStarted),
        Shape("promotion-ended", products.PromotionEnded),
        Shape("product-discontinued", products.ProductDiscontinued),
    ],
)

CATEGORIES = Stored("category", categories.Category, events=[Shape("category-created", categories.CategoryCreated)])

REVIEWS = Stored(
    "review",
    reviews.Review,
    events=[
        Shape("review-submitted", reviews.ReviewSubmitted),
        Shape("review-published", reviews.ReviewPublished),
        Shape("review-rejected", reviews.ReviewRejected),
    ],
)

PRODUCT_ROWS = Projection(
    name="products",
    source=PRODUCTS,
    row=ProductRow,
    project=product_row,
    order_by="name",
    filters=("words", "category", "price"),  # the rows found by these are then filtered by currency and `discontinued`
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

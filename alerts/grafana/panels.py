"""What all dashboards share: queries, the looks of each kind of panel, and a board to put them on.

Colours and numbers of states are one table, `STATES`, so that a state looks the same in a timeline,
a table and on the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Self, TypeAlias, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    geomap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shared
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.geomap import TooltipMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from inventory.model import Language

SOURCE: Final = shared.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG: Final = "tabuah"
COLUMNS: Final = 24


Panel: TypeAlias = (
    timeseries.Panel
    | stat.Panel
    | bargauge.Panel
    | statetimeline.Panel
    | table.Panel
    | geomap.Panel
)
_Panel = TypeVar("_Panel", bound=Panel)


class Text(NamedTuple):
    """Words in both languages."""

    id: str
    en: str

    def said(self, language: Language) -> str:
        """Return them in one."""
        return self.id if language is Language.INDONESIAN else self.en


class State(NamedTuple):
    """A state of an office: its label, its number in a query, its colour and word."""

    label: str
    number: int
    colour: str
    text: Text


STATES: Final = (
    State("up", 0, "green", Text("terhubung", "up")),
    State("degraded", 1, "yellow", Text("terganggu", "degraded")),
    State("unknown", 2, "#8e8e8e", Text("tidak diketahui", "unknown")),
    State("silent", 3, "orange", Text("tidak melapor", "silent")),
    State("down", 4, "red", Text("putus", "down")),
)

STATE: Final = (
    "max by (site) ("
    + " or ".join(
        f'(tabuah_site_state{{state="{one.label}"}} == 1) * {one.number}' for one in STATES
    )
    + ")"
)
"""One number for each office, worse is more."""


def named(expression: str, *more: str, among: str = "") -> str:
    """Return an expression by site with the office's name (and more of it) as a label."""
    labels = ", ".join(("name", *more))
    return f"({expression}) * on (site) group_left ({labels}) tabuah_site_info{{{among}}}"


# --- queries ----------------------------------------------------------------------------------


def over_time(expression: str, legend: str) -> prometheus.Dataquery:
    """Return a query for lines."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).range()


def now(expression: str, legend: str) -> prometheus.Dataquery:
    """Return a query for figures."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).instant()


def rows(expression: str) -> prometheus.Dataquery:
    """Return a query for a table: labels become columns."""
    return prometheus.Dataquery().expr(expression).instant().format(PromQueryFormat.TABLE)


# --- looks ------------------------------------------------------------------------------------


def steps(*bounds: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Return colours from bounds on; the first bound is None."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=colour) for value, colour in bounds])
    )


def words(*values: tuple[int, str, str]) -> list[Any]:
    """Return mappings of a value to a word and a colour."""
    return [
        model.ValueMap(
            options={
                str(value): model.ValueMappingResult(text=text, color=colour, index=index)
                for index, (value, text, colour) in enumerate(values)
            }
        )
    ]


def states(language: Language) -> list[Any]:
    """Return the mappings of `STATE`."""
    return words(*((one.number, one.text.said(language), one.colour) for one in STATES))


def works(language: Language) -> list[Any]:
    """Return the mappings of a 0 or 1 that says whether something works."""
    yes, no = Text("ya", "yes"), Text("tidak", "no")
    return words((1, yes.said(language), "green"), (0, no.said(language), "red"))


def lines(unit: str, *queries: prometheus.Dataquery, **bounds: float) -> timeseries.Panel:
    """Return lines over time; `bounds` are `min`, `max` of the axis."""
    panel = (
        timeseries.Panel()
        .unit(unit)
        .line_width(1)
        .fill_opacity(8)
        .show_points(shared.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(shared.LegendDisplayMode.TABLE)
            .placement(shared.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(shared.TooltipDisplayMode.MULTI)
            .sort(shared.SortOrder.DESCENDING)
        )
    )
    if "min" in bounds:
        panel.min(bounds["min"])
    if "max" in bounds:
        panel.max(bounds["max"])
    return _asking(panel, queries)


def stacked(unit: str, *queries: prometheus.Dataquery) -> timeseries.Panel:
    """Return areas on top of each other."""
    return (
        lines(unit, *queries, min=0)
        .fill_opacity(40)
        .stacking(common.StackingConfig().mode(shared.StackingMode.NORMAL).group("A"))
    )


def figures(
    unit: str, *queries: prometheus.Dataquery, bounds: dashboard.ThresholdsConfig
) -> stat.Panel:
    """Return large figures, coloured by bounds."""
    panel = (
        stat.Panel()
        .unit(unit)
        .thresholds(bounds)
        .color_mode(shared.BigValueColorMode.BACKGROUND)
        .graph_mode(shared.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _asking(panel, queries)


def bars(
    unit: str, *queries: prometheus.Dataquery, bounds: dashboard.ThresholdsConfig
) -> bargauge.Panel:
    """Return bars beside each other, the worst first by their queries."""
    panel = (
        bargauge.Panel()
        .unit(unit)
        .thresholds(bounds)
        .min(0)
        .orientation(shared.VizOrientation.HORIZONTAL)
        .display_mode(shared.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return _asking(panel, queries)


def timeline(mappings: list[Any], *queries: prometheus.Dataquery) -> statetimeline.Panel:
    """Return one row of colours for each series."""
    panel = (
        statetimeline.Panel()
        .mappings(mappings)
        .show_value(shared.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.85)
        .fill_opacity(85)
        .line_width(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(shared.LegendDisplayMode.LIST)
            .placement(shared.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    return _asking(panel, queries)


class Column(NamedTuple):
    """A column of a table: its field, its heading, and how it looks."""

    field: str
    heading: Text
    unit: str = ""
    mappings: list[Any] | None = None
    bounds: list[tuple[float | None, str]] | None = None
    link: tuple[Text, str] | None = None


def cells(
    language: Language, columns: Sequence[Column], *queries: prometheus.Dataquery
) -> table.Panel:
    """Return a table of these columns in this order; what else the queries have is left out."""
    panel = table.Panel().filterable(True).show_header(True)
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    _organised(panel, language, columns)
    return _asking(panel, queries)


def matrix(
    language: Language, row: str, column: str, mappings: list[Any], query: prometheus.Dataquery
) -> table.Panel:
    """Return a table with a row for each value of one label, a column for each of another."""
    panel = table.Panel().mappings(mappings).show_header(True)
    panel.cell_options(shared.TableColoredBackgroundCellOptions())
    options = {"rowField": row, "columnField": column, "valueField": "Value"}
    panel.with_transformation(
        model.DataTransformerConfig(id_val="groupingToMatrix", options=options)
    )
    heading = Text("Kantor", "Office").said(language)
    renamed = {"renameByName": {f"{row}\\{column}": heading}}
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=renamed))
    return _asking(panel, (query,))


def places(language: Language, query: prometheus.Dataquery) -> geomap.Panel:
    """Return a map of points by the labels `latitude` and `longitude`, coloured by state.

    The land below is the map of countries that Grafana itself serves: no tile comes from the
    internet. The view fits the points.
    """
    numbers = {
        "conversions": [
            {"targetField": field, "destinationType": "number"}
            for field in ("latitude", "longitude")
        ]
    }
    markers = {
        "showLegend": False,
        "style": {
            "size": {"fixed": 9},
            "color": {"field": "Value", "fixed": "green"},
            "opacity": 0.9,
            "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
            "text": {"field": "name", "mode": "field", "fixed": ""},
            "textConfig": {"fontSize": 11, "offsetX": 0, "offsetY": 14},
        },
    }
    land = {
        "src": "public/maps/countries.geojson",
        "rules": [],
        "style": {"color": {"fixed": "#aab2bd"}, "opacity": 0.25},
    }
    panel = (
        geomap.Panel()
        .mappings(states(language))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .thresholds(steps(*((one.number or None, one.colour) for one in STATES)))
        .basemap(common.MapLayerOptions().type("geojson").name("land").config(land))
        .layers(
            [
                common.MapLayerOptions()
                .type("markers")
                .name(TAG)
                .config(markers)
                .location(
                    common.FrameGeometrySource()
                    .mode(shared.FrameGeometrySourceMode.COORDS)
                    .latitude("latitude")
                    .longitude("longitude")
                )
                .tooltip(True)
            ]
        )
        .view(geomap.MapViewConfig().id("fit").all_layers(True).padding(15))
        .tooltip(geomap.TooltipOptions().mode(TooltipMode.DETAILS))
        .controls(geomap.ControlsOptions().show_zoom(True).show_attribution(False))
    )
    panel.with_transformation(
        model.DataTransformerConfig(id_val="convertFieldType", options={"conversions": numbers})
    )
    return _asking(panel, (query,))


def _organised(panel: table.Panel, language: Language, columns: Sequence[Column]) -> None:
    headings = {column.field: column.heading.said(language) for column in columns}
    options = {
        "indexByName": {column.field: index for index, column in enumerate(columns)},
        "renameByName": headings,
        "includeByName": dict.fromkeys(headings, True),
        "excludeByName": {"Time": True},
    }
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=options))
    for column in columns:
        properties: list[model.DynamicConfigValue] = []
        if column.unit:
            properties.append(model.DynamicConfigValue(id_val="unit", value=column.unit))
        if column.mappings:
            properties.append(model.DynamicConfigValue(id_val="mappings", value=column.mappings))
        if column.bounds:
            thresholds = {
                "mode": "absolute",
                "steps": [{"value": value, "color": colour} for value, colour in column.bounds],
            }
            properties.append(model.DynamicConfigValue(id_val="thresholds", value=thresholds))
        if column.bounds or column.mappings:
            cell = {"type": "color-background"}
            properties.append(model.DynamicConfigValue(id_val="custom.cellOptions", value=cell))
        if column.link:
            link = {"title": column.link[0].said(language), "url": column.link[1]}
            properties.append(model.DynamicConfigValue(id_val="links", value=[link]))
        if properties:
            panel.override_by_name(headings[column.field], properties)


def _asking(panel: _Panel, queries: Sequence[prometheus.Dataquery]) -> _Panel:
    for number, query in enumerate(queries):
        panel.with_target(query.ref_id(chr(ord("A") + number)).datasource(SOURCE))
    panel.datasource(SOURCE)
    return panel


# --- the board --------------------------------------------------------------------------------


class Board:
    """A dashboard that is filled from left to right, and from top to bottom."""

    def __init__(self, uid: str, title: Text, says: Text, language: Language) -> None:
        self.language = language
        self._id = self._x = self._y = self._height = 0
        self._made = (
            dashboard.Dashboard(title.said(language))
            .uid(uid)
            .description(says.said(language))
            .tags([TAG])
            .timezone("Asia/Jakarta")
            .refresh("30s")
            .time("now-6h", "now")
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .editable()
            .with_variable(
                dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
            )
            .link(
                dashboard.DashboardLink("tabuah")
                .type(model.DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
        )

    def variable(self, name: str, label: Text, query: str, *, every: bool, regex: str = "") -> Self:
        """Add a choice of values that a query has; `every`: all is the default."""
        made = (
            dashboard.QueryVariable(name)
            .label(label.said(self.language))
            .datasource(SOURCE)
            .query(query)
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_ASC)
            .regex(regex)
            .multi(every)
            .include_all(every)
        )
        if every:
            made.all_value(".*").current(model.VariableOption(text="All", value="$__all"))
        self._made.with_variable(made)
        return self

    def annotations(self, name: Text, expression: str, title: str, text: str) -> Self:
        """Mark on every panel when something was so."""
        self._made.annotation(
            dashboard.AnnotationQuery()
            .name(name.said(self.language))
            .datasource(SOURCE)
            .enable(True)
            .icon_color("red")
            .expr(expression)
            .title_format(title)
            .text_format(text)
            .step("60s")
        )
        return self

    def row(self, title: Text) -> Self:
        """Begin a row under a heading."""
        self._break()
        row = dashboard.Row(title.said(self.language)).id(self._next())
        self._made.with_row(row.grid_pos(model.GridPos(h=1, w=COLUMNS, x=0, y=self._y)))
        self._y += 1
        return self

    def add(self, panel: Panel, title: Text, says: Text, width: int, height: int = 8) -> Self:
        """Put a panel behind the last one, or below if there is no room."""
        if self._x + width > COLUMNS:
            self._break()
        panel.title(title.said(self.language)).description(says.said(self.language))
        panel.id(self._next())
        panel.grid_pos(model.GridPos(h=height, w=width, x=self._x, y=self._y))
        self._made.with_panel(panel)
        self._x += width
        self._height = max(self._height, height)
        return self

    def json(self) -> str:
        """Return the dashboard in Grafana's classic JSON model."""
        return JSONEncoder(sort_keys=True, indent=2).encode(self._made.build()) + "\n"

    def _next(self) -> int:
        self._id += 1
        return self._id

    def _break(self) -> None:
        self._y += self._height
        self._x = self._height = 0

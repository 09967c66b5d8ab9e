import Tributary

extension Picture {
    static let all: [Picture] = streams + aggregations + windows + suppression + joins + tables + processors

    private static let windowed = Serde<Windowed<String>>.timeWindowed(.string, size: .seconds(10))

    private static let streams = [
        Picture(
            name: "stream-branches",
            title: "Records that are filtered out say nothing; each other goes to the first branch that takes it.",
            build: StreamOperators.branches,
            inputs: [
                .record("orders", "a", 250 as Int64, at: 1), .record("orders", "b", 30 as Int64, at: 2),
                .record("orders", "a", 0 as Int64, at: 3), .record("orders", "b", 120 as Int64, at: 4),
                .record("orders", "a", 99 as Int64, at: 5),
            ], outputs: [.topic("large", of: Int64.self), .topic("small", of: String.self)], grid: 1),
        Picture(
            name: "stream-words",
            title: "A line becomes as many records as it has words; a merged stream's records pass as they come.",
            build: StreamOperators.words,
            inputs: [
                .record("lines", "a", "to be or", at: 1), .record("more-words", "b", "why", at: 2),
                .record("lines", "a", "not", at: 3),
            ], outputs: [.topic("words", of: String.self)], grid: 1),
        Picture(
            name: "repartition",
            title: "Each order goes through the repartition topic under its customer, and is counted behind it.",
            build: StreamOperators.repartition,
            inputs: [
                .record("orders", "1", "ada", at: 1), .record("orders", "2", "bob", at: 2),
                .record("orders", "3", "ada", at: 3),
            ], outputs: [.topic("app-by-customer-repartition", of: String.self), .topic("orders-of", of: Int64.self)],
            grid: 1),
    ]

    private static let aggregations = [
        Picture(
            name: "aggregations", title: "Each record of a key brings out a new count, sum and line of it.",
            build: AggregationOperators.streams,
            inputs: [
                .record("sales", "a", 5 as Int64, at: 2), .record("sales", "b", 3 as Int64, at: 4),
                .record("sales", "a", 2 as Int64, at: 3),
            ],
            outputs: [.topic("count", of: Int64.self), .topic("sum", of: Int64.self), .topic("line", of: String.self)],
            grid: 1),
        Picture(
            name: "caching", title: "Behind a cache, four records of two keys bring out two counts at the commit.",
            build: AggregationOperators.cached,
            inputs: [
                .record("sales", "a", 5 as Int64, at: 1, held: true),
                .record("sales", "b", 3 as Int64, at: 2, held: true),
                .record("sales", "a", 2 as Int64, at: 3, held: true), .record("sales", "a", 8 as Int64, at: 4),
                .record("sales", "b", 1 as Int64, at: 5),
            ], outputs: [.topic("count", of: Int64.self)], grid: 1, isCached: true),
        Picture(
            name: "grouped-table",
            title: "Who changes department is taken out of one group's count and put into the other's.",
            build: AggregationOperators.table,
            inputs: [
                .record("employees", "ada", "it", at: 1), .record("employees", "bob", "it", at: 2),
                .record("employees", "ada", "sales", at: 3), .record("employees", "bob", nil as String?, at: 4),
            ], outputs: [.topic("sizes", of: Int64.self)], grid: 1),
        Picture(
            name: "cogroup", title: "Records of two streams change one aggregate.", build: AggregationOperators.cogroup,
            inputs: [
                .record("sales", "a", 50 as Int64, at: 1), .record("returns", "a", 20 as Int64, at: 2),
                .record("sales", "b", 10 as Int64, at: 3), .record("sales", "a", 30 as Int64, at: 4),
            ], outputs: [.topic("revenue", of: Int64.self)], grid: 1),
    ]

    private static let views: [Input] = [
        .record("views", "a", "x", at: 2), .record("views", "a", "y", at: 7), .record("views", "b", "x", at: 12),
        .record("views", "a", "z", at: 9), .record("views", "a", "x", at: 16), .record("views", "a", "late", at: 8),
    ]

    private static let windows = [
        Picture(
            name: "tumbling-windows",
            title: "A window's count comes with each of its records, late ones too until the grace is over.",
            build: WindowOperators.tumbling, inputs: views, outputs: [.windows("counts", windowed, of: Int64.self)]),
        Picture(
            name: "hopping-windows", title: "Each record is counted in the two windows that it lies in.",
            build: WindowOperators.hopping,
            inputs: [
                .record("views", "a", "x", at: 7), .record("views", "a", "y", at: 11),
                .record("views", "a", "z", at: 13),
                .record("views", "a", "late", at: 8),
            ],
            outputs: [.windows("counts", windowed, of: Int64.self)]),
        Picture(
            name: "sliding-windows",
            title: "A window ends with each record, and one begins right behind each that another follows.",
            build: WindowOperators.sliding,
            inputs: [
                .record("views", "a", "x", at: 12), .record("views", "a", "y", at: 18),
                .record("views", "a", "z", at: 25),
                .record("views", "a", "late", at: 21),
            ],
            outputs: [.windows("counts", windowed, of: Int64.self, closed: true)]),
        Picture(
            name: "session-windows",
            title: "A session grows with each record; one between two sessions makes one of them.",
            build: WindowOperators.sessions,
            inputs: [
                .record("views", "a", "x", at: 2), .record("views", "a", "y", at: 5),
                .record("views", "a", "z", at: 13),
                .record("views", "b", "x", at: 14), .record("views", "a", "between", at: 9),
                .record("views", "b", "y", at: 30),
                .record("views", "a", "late", at: 3),
            ],
            outputs: [.windows("visits", .sessionWindowed(.string), of: Int64.self, closed: true)]),
        Picture(
            name: "unlimited-windows", title: "The one window takes all records from its start on.",
            build: WindowOperators.unlimited,
            inputs: [
                .record("views", "a", "early", at: 4), .record("views", "a", "x", at: 10),
                .record("views", "b", "x", at: 22),
                .record("views", "a", "late", at: 13),
            ], outputs: [.topic("counts", of: Int64.self)]),
        Picture(
            name: "window-close",
            title:
                "A window says nothing while it grows; its result comes with the record that takes stream time beyond its end and grace.",
            build: WindowOperators.onClose,
            inputs: views + [.record("views", "b", "x", at: 27)],
            outputs: [.windows("counts", windowed, of: Int64.self)]),
    ]

    private static let suppression = [
        Picture(
            name: "suppress-windows",
            title: "Each window's last count comes once, when the window takes no more records.",
            build: WindowOperators.suppressedWindows, inputs: views + [.record("views", "b", "x", at: 27)],
            outputs: [.windows("counts", windowed, of: Int64.self)]),
        Picture(
            name: "suppress-time",
            title: "A key's changes wait until ten seconds after the first of them; then the last one comes.",
            build: WindowOperators.suppressedTable,
            inputs: [
                .record("prices", "a", 10 as Int64, at: 2), .record("prices", "a", 11 as Int64, at: 5),
                .record("prices", "b", 7 as Int64, at: 9), .record("prices", "a", 12 as Int64, at: 10),
                .record("prices", "b", 8 as Int64, at: 12), .record("prices", "a", 13 as Int64, at: 19),
                .record("prices", "c", 1 as Int64, at: 30),
            ], outputs: [.topic("calm-prices", of: Int64.self)]),
    ]

    private static let joins = [
        Picture(
            name: "stream-joins",
            title: "Pairs come with the second record; what stays alone comes when its window and the grace are over.",
            build: JoinOperators.streams,
            inputs: [
                .record("shown", "a", "A1", at: 2), .record("clicked", "a", "a1", at: 6),
                .record("shown", "b", "B1", at: 8),
                .record("clicked", "c", "c1", at: 9), .record("clicked", "a", "a2", at: 12),
                .record("shown", "d", "D1", at: 25),
            ],
            outputs: [
                .topic("inner", of: String.self), .topic("left", of: String.self), .topic("outer", of: String.self),
            ]),
        Picture(
            name: "table-join",
            title:
                "Each order looks up the city that the table has at this moment; changes of the table bring out nothing.",
            build: JoinOperators.table,
            inputs: [
                .record("orders", "ada", "tea", at: 1), .record("cities", "ada", "Bonn", at: 2),
                .record("orders", "ada", "cake", at: 3),
                .record("cities", "ada", "Ulm", at: 4), .record("orders", "ada", "jam", at: 5),
            ], outputs: [.topic("inner", of: String.self), .topic("left", of: String.self)], grid: 1),
        Picture(
            name: "table-join-grace",
            title:
                "Each order waits five seconds and is joined with the price of its own time, also one that was told later.",
            build: JoinOperators.grace,
            inputs: [
                .record("prices", "tea", 3 as Int64, at: 1), .record("orders", "tea", 2 as Int64, at: 4),
                .record("prices", "tea", 4 as Int64, at: 6), .record("orders", "tea", 5 as Int64, at: 8),
                .record("prices", "tea", 7 as Int64, at: 3), .record("orders", "tea", 1 as Int64, at: 10),
                .record("orders", "tea", 1 as Int64, at: 14),
            ], outputs: [.topic("sums", of: Int64.self)], grid: 1),
        Picture(
            name: "global-table-join", title: "Each order looks up the row that its value names.",
            build: JoinOperators.global,
            inputs: [
                .record("articles", "7", "tea", at: 1), .record("orders", "ada", "7", at: 2),
                .record("orders", "bob", "8", at: 3),
                .record("articles", "8", "jam", at: 4), .record("orders", "bob", "8", at: 5),
            ], outputs: [.topic("named", of: String.self)], grid: 1),
    ]

    private static let tables = [
        Picture(
            name: "table-changes",
            title: "Each change of a row comes out; a row that the filter no longer takes is deleted.",
            build: TableOperators.changes,
            inputs: [
                .record("prices", "a", 50 as Int64, at: 1), .record("prices", "b", 150 as Int64, at: 2),
                .record("prices", "a", 120 as Int64, at: 3), .record("prices", "b", 90 as Int64, at: 4),
                .record("prices", "b", nil as Int64?, at: 5),
            ], outputs: [.topic("cheap", of: String.self)], grid: 1),
        Picture(
            name: "table-joins", title: "A change of either table makes the joined row anew, or deletes it.",
            build: TableOperators.joins,
            inputs: [
                .record("names", "1", "Ada", at: 1), .record("cities", "1", "Bonn", at: 2),
                .record("cities", "2", "Ulm", at: 3),
                .record("names", "1", "Eve", at: 4), .record("cities", "1", nil as String?, at: 5),
                .record("names", "1", nil as String?, at: 6),
            ],
            outputs: [
                .topic("inner", of: String.self), .topic("left", of: String.self), .topic("outer", of: String.self),
            ],
            grid: 1),
        Picture(
            name: "foreign-key-join", title: "A change of a customer changes all of their orders' rows.",
            build: TableOperators.foreignKey,
            inputs: [
                .record("orders", "1", "ada", at: 1), .record("customers", "ada", "Ada", at: 2),
                .record("orders", "2", "ada", at: 3),
                .record("customers", "ada", "Ada L.", at: 4), .record("orders", "1", "bob", at: 5),
                .record("customers", "ada", nil as String?, at: 6),
            ], outputs: [.topic("labels", of: String.self)], grid: 1),
    ]

    private static let processors = [
        Picture(
            name: "processor",
            title: "Records bring out nothing; the punctuation reports and forgets each ten seconds of their time.",
            build: ProcessorOperators.reports,
            inputs: [
                .record("sales", "a", 5 as Int64, at: 2), .record("sales", "b", 3 as Int64, at: 6),
                .record("sales", "a", 2 as Int64, at: 9), .record("sales", "b", 4 as Int64, at: 13),
                .record("sales", "a", 1 as Int64, at: 24),
            ], outputs: [.topic("reports", of: Int64.self)])
    ]
}

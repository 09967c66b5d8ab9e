internal import TributaryCore
internal import TributaryDSL
internal import TributaryState

/// Makes a topology of statements, each one call of the DSL in order, since the order fixes generated names.
struct TopologyInterpreter {
    private let builder: StreamsBuilder
    private var objects: [String: CaseObject] = [:]
    private var integerStores: Set<String> = []
    /// How the records of output topics are read.
    let formats = OutputFormats()
    /// What `peek` and `foreach` see.
    let seen = SeenRecords()

    private init(_ config: CaseConfig) {
        builder = StreamsBuilder(
            inMemoryStores: config.inMemoryStores, storeFormat: config.headersFormat ? .headers : .standard)
    }

    /// An interpreted topology, and what is needed to read its records.
    struct Built {
        let topology: Topology
        let formats: OutputFormats
        let seen: SeenRecords
    }

    /// Builds a case's topology.
    ///
    /// - Throws: ``CaseError`` if the case can't be interpreted; what the DSL throws if it refuses the topology.
    static func build(_ item: ConformanceCase) throws -> Built {
        var interpreter = TopologyInterpreter(item.config)
        for statement in item.topology {
            do { try interpreter.run(statement) } catch let error as CaseError {
                throw error.inside("topology[\(statement.index)]")
            }
        }
        let topology = try interpreter.builder.build(
            explicitNames: item.config.explicitNames,
            optimization: try item.config.topologyOptimization.union(
                item.config.processValuesFix ? .processorsAsChanges : []))
        return Built(topology: topology, formats: interpreter.formats, seen: interpreter.seen)
    }

    private mutating func run(_ statement: Statement) throws {
        guard let result = try object(statement), let id = try statement.id else { return }
        objects[id] = result
    }

    private func object(_ id: String, _ field: String) throws -> CaseObject {
        guard let object = objects[id] else { throw CaseError("no statement before has the id '\(id)'").inside(field) }
        return object
    }

    private func stream(_ statement: Statement) throws -> any StreamObject {
        guard case .stream(let stream) = try object(try statement.input, "in") else { throw Self.notInterpreted }
        return stream
    }

    private func table(_ statement: Statement) throws -> (any TableObject)? {
        guard case .table(let table) = try object(try statement.input, "in") else { return nil }
        return table
    }

    private static var notInterpreted: CaseError { CaseError("the operation on this kind of input is not interpreted") }

    private mutating func object(_ statement: Statement) throws -> CaseObject? {
        switch statement.operation {
        case .stream, .table, .globalTable, .store: return try source(statement)
        case .filter, .filterNot:
            let keeps = statement.operation == .filter
            if let table = try table(statement) { return .table(try table.filter(statement, keeps: keeps)) }
            return .stream(try stream(statement).filter(statement, keeps: keeps))
        case .mapValues:
            if let table = try table(statement) { return .table(try table.mapValues(statement)) }
            return .stream(try stream(statement).mapValues(statement))
        case .map: return .stream(try stream(statement).map(statement))
        case .flatMap: return .stream(try stream(statement).flatMap(statement))
        case .flatMapValues: return .stream(try stream(statement).flatMapValues(statement))
        case .selectKey: return .stream(try stream(statement).selectKey(statement))
        case .peek: return .stream(try stream(statement).peek(statement, seen))
        case .repartition: return .stream(try stream(statement).repartition(statement))
        case .foreach:
            try stream(statement).forEach(statement, seen)
            return nil
        case .split:
            for (id, branch) in try stream(statement).split(statement) { objects[id] = .stream(branch) }
            return nil
        case .merge:
            guard case .stream(let other) = try object(try statement.secondInput, "in2") else {
                throw Self.notInterpreted
            }
            return .stream(try stream(statement).merge(statement, other))
        case .toTable: return .table(try stream(statement).toTable(statement))
        case .toStream:
            guard case .table(let table) = try object(try statement.input, "in") else { throw Self.notInterpreted }
            return .stream(try table.toStream(statement))
        case .groupByKey: return .grouped(try stream(statement).groupByKey(statement))
        case .groupBy:
            if let table = try table(statement) { return .groupedTable(try table.groupBy(statement)) }
            return .grouped(try stream(statement).groupBy(statement))
        case .windowedBy:
            switch try object(try statement.input, "in") {
            case .grouped(let grouped): return .windowed(try grouped.windowedBy(statement))
            case .cogrouped(let cogrouped): return .windowed(try cogrouped.windowedBy(statement))
            default: throw Self.notInterpreted
            }
        case .cogroup: return .cogrouped(try cogroup(statement))
        case .count, .reduce, .aggregate: return .table(try aggregation(statement))
        case .join:
            switch try object(try statement.secondInput, "in2") {
            case .table(let other):
                if let table = try table(statement) { return .table(try table.join(statement, other)) }
                return .stream(try stream(statement).join(statement, other))
            case .stream(let other): return .stream(try stream(statement).join(statement, other))
            case .globalTable(let other): return .stream(try stream(statement).join(statement, other))
            default: throw Self.notInterpreted
            }
        case .fkJoin:
            guard let left = try table(statement),
                case .table(let right) = try object(try statement.secondInput, "in2")
            else { throw Self.notInterpreted }
            return .table(try left.foreignKeyJoin(statement, right))
        case .process: return .stream(try stream(statement).process(statement, integerStores: integerStores))
        case .processValues:
            return .stream(try stream(statement).processValues(statement, integerStores: integerStores))
        case .to:
            try stream(statement).to(statement, formats)
            return nil
        case .suppress:
            guard let table = try table(statement) else { throw Self.notInterpreted }
            return .table(try table.suppress(statement))
        case .transformValues:
            guard let table = try table(statement) else { throw Self.notInterpreted }
            return .table(try table.transformValues(statement))
        }
    }

    private func cogroup(_ statement: Statement) throws -> CogroupedHandle {
        var cogrouped: CogroupedHandle?
        for item in try statement.fields.list("inputs") ?? [] {
            let fields = try CaseFields(item)
            guard case .grouped(let grouped) = try object(try fields.requiredText("in"), "inputs") else {
                throw Self.notInterpreted
            }
            cogrouped = try grouped.cogroup(cogrouped, try AggregatorFunction(try fields.requiredText("fn")))
        }
        guard let cogrouped else { throw CaseError("no grouped streams").inside("inputs") }
        return cogrouped
    }

    private mutating func aggregation(_ statement: Statement) throws -> any TableObject {
        let input = try object(try statement.input, "in")
        if statement.operation == .count, let name = try statement.materialized?.name { integerStores.insert(name) }
        switch (statement.operation, input) {
        case (.count, .grouped(let grouped)): return try grouped.count(statement)
        case (.count, .windowed(let windowed)): return try windowed.count(statement)
        case (.reduce, .grouped(let grouped)): return try grouped.reduce(statement)
        case (.reduce, .windowed(let windowed)): return try windowed.reduce(statement)
        case (.count, .groupedTable(let grouped)): return try grouped.count(statement)
        case (.reduce, .groupedTable(let grouped)): return try grouped.reduce(statement)
        case (_, .groupedTable(let grouped)): return try grouped.aggregate(statement)
        case (_, .grouped(let grouped)): return try grouped.aggregate(statement)
        case (_, .windowed(let windowed)): return try windowed.aggregate(statement)
        case (.aggregate, .cogrouped(let cogrouped)): return try cogrouped.aggregate(statement)
        default: throw Self.notInterpreted
        }
    }
}

// MARK: Sources and stores

extension TopologyInterpreter {
    private func source(_ statement: Statement) throws -> CaseObject? {
        let fields = statement.fields
        switch statement.operation {
        case .stream:
            let extractor = try fields.choice("extractor", ["fromValue": TimestampExtractor.fromValue])
            let stream: KStream<CaseKey, CaseValue>
            if let topics = try fields.texts("topics") {
                stream = builder.stream(
                    topics, key: .caseKey, value: .caseText, named: try statement.named, timestamps: extractor)
            } else {
                stream = builder.stream(
                    matching: .expression(try fields.requiredText("pattern")), key: .caseKey, value: .caseText,
                    named: try statement.named, timestamps: extractor)
            }
            return .stream(StreamHandle(stream: stream, key: .caseKey, keyFormat: .text))
        case .table:
            let table = builder.table(
                try fields.requiredText("topic"), key: .caseKey, value: .caseText,
                materialized: try statement.materialized?.materialized(.caseKey, .caseText),
                named: try statement.named)
            return .table(TableHandle(table: table, key: .caseKey, keyFormat: .text))
        case .globalTable:
            return .globalTable(
                builder.globalTable(
                    try fields.requiredText("topic"), key: .caseKey, value: .caseText,
                    materialized: try statement.materialized?.materialized(.caseKey, .caseText),
                    named: try statement.named))
        default:
            try store(statement)
            return nil
        }
    }

    private func store(_ statement: Statement) throws {
        let fields = statement.fields
        let kind: StoreDescription.Kind
        switch try fields.requiredText("type") {
        case "kv": kind = .keyValue
        case "timestampedKv": kind = .timestampedKeyValue
        case "window":
            kind = .window(
                retention: try fields.requiredInteger("retentionMs"), size: try fields.requiredInteger("sizeMs"),
                retainsDuplicates: try fields.bool("duplicates") ?? false, timestamped: false)
        case "session": kind = .session(retention: try fields.requiredInteger("retentionMs"))
        case "versioned": kind = .versioned(history: try fields.requiredInteger("historyMs"))
        case let other: throw CaseError("stores of type '\(other)' are not interpreted").inside("type")
        }
        builder.addStateStore(
            StoreDescription(
                name: try fields.requiredText("name"), kind: kind, isPersistent: try fields.bool("inMemory") != true,
                isCached: try fields.bool("cache") ?? false, isLogged: try fields.bool("log") ?? true))
    }
}

extension CaseConfig {
    /// What the optimiser may do.
    fileprivate var topologyOptimization: TopologyOptimization {
        get throws {
            switch optimization {
            case "none": return []
            case "all": return .all
            case "reuse.ktable.source.topics": return .reuseSourceTopics
            case "merge.repartition.topics": return .mergeRepartitionTopics
            case "single.store.self.join": return .singleStoreSelfJoins
            case let other: throw CaseError("there is no optimization '\(other)'")
            }
        }
    }
}

extension TopicPattern {
    /// Topics whose whole name fits a regular expression.
    fileprivate static func expression(_ text: String) -> TopicPattern {
        TopicPattern(text) { name in (try? Regex(text).wholeMatch(in: name)) != nil }
    }
}

extension TimestampExtractor {
    /// What a value says behind its last `@`, else the record's own timestamp.
    fileprivate static var fromValue: TimestampExtractor {
        TimestampExtractor(name: "fromValue") { record in
            let timestamp = record.timestamp
            guard let value = record.value, let text = String(validating: [UInt8](copying: value), as: UTF8.self),
                let mark = text.lastIndex(of: "@")
            else { return timestamp }
            let digits = text[text.index(after: mark)...]
            guard digits.drop(while: { $0 == "-" }).allSatisfy({ $0.isASCII && $0.isNumber }) else { return timestamp }
            return Int64(digits) ?? timestamp
        }
    }
}

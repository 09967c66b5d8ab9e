internal import TributaryCore
internal import TributaryDSL

/// A stream of an interpreted topology: each statement is one call of the DSL, with explicit serdes.
struct StreamHandle<Key: CaseKeyType, Value: CaseValueType>: StreamObject {
    let stream: KStream<Key, Value>
    let key: Serde<Key>
    let keyFormat: KeyFormat
    var value: Serde<Value> { Value.serde }

    private func with<Result: CaseValueType>(_ stream: KStream<Key, Result>) -> StreamHandle<Key, Result> {
        StreamHandle<Key, Result>(stream: stream, key: key, keyFormat: keyFormat)
    }

    private func plain<Result: CaseValueType>(_ stream: KStream<CaseKey, Result>) -> StreamHandle<CaseKey, Result> {
        StreamHandle<CaseKey, Result>(stream: stream, key: .caseKey, keyFormat: .text)
    }

    func filter(_ statement: Statement, keeps: Bool) throws -> any StreamObject {
        let predicate = try statement.predicate
        let named = try statement.named
        if keeps { return with(stream.filter(named: named) { predicate($0, $1.caseValue) }) }
        return with(stream.filterNot(named: named) { predicate($0, $1.caseValue) })
    }

    func mapValues(_ statement: Statement) throws -> any StreamObject {
        let function = try statement.valueFunction
        return with(
            stream.mapValuesWithKey(named: try statement.named, value: .caseText) { key, value in
                try function(key, value.caseValue)
            })
    }

    func map(_ statement: Statement) throws -> any StreamObject {
        let function = try statement.valueFunction
        let keyFunction = try statement.keyFunction("keyFn")
        let nullPair = try statement.fields.text("nullPairIf")
        return plain(
            stream.map(named: try statement.named, key: .caseKey, value: .caseText) { key, value in
                let value = value.caseValue
                // The DSL's pairs can't be null: failing is what Kafka Streams does then.
                if let nullPair, value.text == nullPair { throw FunctionFailure("no pair for \(nullPair)") }
                return (keyFunction(key, value), try function(key, value))
            })
    }

    func flatMap(_ statement: Statement) throws -> any StreamObject {
        let splitter = try statement.splitter
        let keyFunction = try statement.keyFunction("keyFn")
        return plain(
            stream.flatMap(named: try statement.named, key: .caseKey, value: .caseText) { key, value in
                guard let parts = splitter(value.caseValue) else { throw FunctionFailure("no list") }
                return parts.map { (keyFunction(key, $0), $0) }
            })
    }

    func flatMapValues(_ statement: Statement) throws -> any StreamObject {
        let splitter = try statement.splitter
        return with(
            stream.flatMapValues(named: try statement.named, value: .caseText) { value in
                guard let parts = splitter(value.caseValue) else { throw FunctionFailure("no list") }
                return parts
            })
    }

    func selectKey(_ statement: Statement) throws -> any StreamObject {
        let function = try statement.keyFunction()
        return plain(
            stream.selectKey(named: try statement.named, key: .caseKey) { function($0, $1.caseValue) })
    }

    func peek(_ statement: Statement, _ seen: SeenRecords) throws -> any StreamObject {
        let id = try statement.fields.requiredText("id")
        return with(stream.peek(named: try statement.named) { seen.add(id, $0.caseKey, $1.caseValue) })
    }

    func forEach(_ statement: Statement, _ seen: SeenRecords) throws {
        let id = try statement.fields.requiredText("id")
        stream.forEach(named: try statement.named) { seen.add(id, $0.caseKey, $1.caseValue) }
    }

    func merge(_ statement: Statement, _ other: any StreamObject) throws -> any StreamObject {
        guard let other = other as? StreamHandle<Key, Value> else {
            throw CaseError("the streams have keys or values of different types").inside("in2")
        }
        return with(stream.merge(other.stream, named: try statement.named))
    }

    func repartition(_ statement: Statement) throws -> any StreamObject {
        let partitions = try statement.fields.integer("partitions").map { Int32(truncatingIfNeeded: $0) }
        return with(
            stream.repartition(named: try statement.name, partitions: partitions, key: key, value: value))
    }

    func toTable(_ statement: Statement) throws -> any TableObject {
        let materialized =
            try statement.materialized?.materialized(key, value) ?? Materialized(key: key, value: value)
        let table = stream.toTable(materialized: materialized, named: try statement.named)
        return TableHandle(table: table, key: key, keyFormat: keyFormat)
    }

    func groupByKey(_ statement: Statement) throws -> any GroupedObject {
        let grouped = stream.groupByKey(named: try statement.name, key: key, value: value)
        return GroupedHandle(grouped: grouped, key: key, keyFormat: keyFormat)
    }

    func groupBy(_ statement: Statement) throws -> any GroupedObject {
        let function = try statement.keyFunction()
        let grouped = stream.groupBy(named: try statement.name, key: .caseKey, value: value) {
            function($0, $1.caseValue)
        }
        return GroupedHandle(grouped: grouped, key: .caseKey, keyFormat: .text)
    }

    func join(_ statement: Statement, _ table: any TableObject) throws -> any StreamObject {
        if let table = table as? TableHandle<Key, CaseValue> { return try join(statement, table.table) }
        if let table = table as? TableHandle<Key, Int64> { return try join(statement, table.table) }
        throw CaseError("the table has keys of another type").inside("in2")
    }

    func join(_ statement: Statement, _ table: GlobalKTable<CaseKey, CaseValue>) throws -> any StreamObject {
        let joiner = try statement.joiner
        let select = try statement.keyFunction("keyFn")
        let name = try statement.named
        switch try statement.fields.requiredText("type") {
        case "inner":
            return with(
                stream.joinWithKey(table, named: name, value: .caseText, by: { select($0, $1.caseValue) }) {
                    key, left, right in joiner(key, left.caseValue, right)
                })
        case "left":
            return with(
                stream.leftJoinWithKey(table, named: name, value: .caseText, by: { select($0, $1.caseValue) }) {
                    key, left, right in joiner(key, left.caseValue, right ?? .null)
                })
        case let other: throw CaseError("there is no join '\(other)' of a stream and a global table").inside("type")
        }
    }

    private func join<Other: CaseValueType>(
        _ statement: Statement, _ table: KTable<Key, Other>
    ) throws -> any StreamObject {
        let joiner = try statement.joiner
        let name = try statement.name
        switch try statement.fields.requiredText("type") {
        case "inner":
            return with(
                stream.joinWithKey(table, named: name, key: key, value: value, result: .caseText) {
                    key, left, right in joiner(key, left.caseValue, right.caseValue)
                })
        case "left":
            return with(
                stream.leftJoinWithKey(table, named: name, key: key, value: value, result: .caseText) {
                    key, left, right in
                    joiner(key, left.caseValue, right?.caseValue ?? .null)
                })
        case let other: throw CaseError("there is no join '\(other)' of a stream and a table").inside("type")
        }
    }

    func process(_ statement: Statement, integerStores: Set<String>) throws -> any StreamObject {
        let shape = try statement.processor
        let settings = try ProcessorSettings(shape, integerStores)
        return with(
            stream.process(
                named: try statement.named, stores: try statement.stores, key: key, value: .caseText
            ) { CannedProcessor<Key, Value>(settings) })
    }

    func processValues(_ statement: Statement, integerStores: Set<String>) throws -> any StreamObject {
        let settings = try ProcessorSettings(try statement.processor, integerStores)
        return with(
            stream.processValues(named: try statement.named, stores: try statement.stores, value: .caseText) {
                CannedValueProcessor<Key, Value>(settings)
            })
    }

    func to(_ statement: Statement, _ formats: OutputFormats) throws {
        let named = try statement.named
        let format = RecordFormat(key: keyFormat, hasIntegers: Value.isInteger)
        if let topic = try statement.fields.text("topic") {
            formats.note(topic, format)
            return stream.to(topic, named: named, key: key, value: value)
        }
        let function = try statement.keyFunction("topicFn")
        formats.chosen = format
        stream.to(named: named, key: key, value: value) { key, value, metadata in
            let name = function(key, value.caseValue)
            let place = "\(metadata.topic ?? "null")\(metadata.partition)\(metadata.offset)"
            return "out-\(name.keyText ?? "null")-\(place)"
        }
    }
}

extension StreamHandle {
    func split(_ statement: Statement) throws -> [(id: String, stream: any StreamObject)] {
        let branches = try statement.branches
        var split = stream.split(named: try statement.named)
        var suffixes: [String] = []
        for (index, branch) in branches.enumerated() {
            guard let text = branch.predicate else { continue }
            let predicate = try PredicateFunction(text)
            suffixes.append(branch.name ?? String(index + 1))
            split = split.branch(branch.name) { predicate($0, $1.caseValue) }
        }
        let streams: [String: KStream<Key, Value>]
        if let last = branches.last, last.predicate == nil {
            suffixes.append(last.name ?? "0")
            streams = split.defaultBranch(last.name).byFullName
        } else {
            streams = split.noDefaultBranch().byFullName
        }
        // The splitter's own name may be generated: it is what all names begin with.
        let first = suffixes.first ?? ""
        let prefix = streams.keys.filter { $0.hasSuffix(first) }.map { $0.dropLast(first.count) }
            .first { prefix in suffixes.allSatisfy { streams[prefix + $0] != nil } }
        guard let prefix else { throw CaseError("the branches are not named as they should be: \(streams.keys)") }
        return zip(branches, suffixes).compactMap { branch, suffix in
            streams[prefix + suffix].map { (branch.id, with($0)) }
        }
    }
}

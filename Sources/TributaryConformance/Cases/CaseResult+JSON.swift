extension CaseResult {
    init(_ fields: CaseFields) throws(CaseError) {
        self.init()
        try fields.allowOnly([
            "error", "steps", "describe", "stores", "changelogs", "repartitions", "internalTopics", "copartition",
            "droppedRecords",
        ])
        if let error = try fields.fields("error") {
            failure = try inside("error") { () throws(CaseError) in try Self.failure(error) }
            failureMessage = try error.text("message")
        }
        describe = try fields.texts("describe")
        if let list = try fields.list("steps") {
            var steps: [[String: [Record]]] = []
            for (index, value) in list.enumerated() {
                steps.append(
                    try inside("steps[\(index)]") { () throws(CaseError) in
                        try Self.map(value) { (value) throws(CaseError) in
                            try Self.list(value) { (value) throws(CaseError) in try Record(json: value) }
                        }
                    })
            }
            self.steps = steps
        }
        stores = try Self.map(fields, "stores") { (value) throws(CaseError) in
            if value == .string("opaque") { return .opaque }
            return .rows(try Self.list(value) { (value) throws(CaseError) in try Row(json: value) })
        }
        changelogs = try Self.map(fields, "changelogs") { (value) throws(CaseError) in
            try Self.list(value) { (value) throws(CaseError) in try RawRecord(json: value) }
        }
        repartitions = try Self.map(fields, "repartitions") { (value) throws(CaseError) in
            try Self.list(value) { (value) throws(CaseError) in try RawRecord(json: value) }
        }
        internalTopics = try Self.map(fields, "internalTopics") { (value) throws(CaseError) in
            try InternalTopic(json: value)
        }
        if let groups = try fields.list("copartition") {
            copartition = try inside("copartition") { () throws(CaseError) in
                try Self.list(.array(groups)) { (value) throws(CaseError) in
                    try Self.list(value) { (value) throws(CaseError) in
                        guard let text = value.string else { throw CaseError("a topic expected, not \(value.kind)") }
                        return text
                    }
                }
            }
        }
        droppedRecords = try fields.integer("droppedRecords")
    }

    private static func failure(_ fields: CaseFields) throws(CaseError) -> Failure {
        if try fields.bool("atBuild") == true { return .build }
        if try fields.bool("atStart") == true { return .start }
        return .step(Int(try fields.requiredInteger("atStep")))
    }

    private static func list<Element>(
        _ value: JSONValue, _ read: (JSONValue) throws(CaseError) -> Element
    ) throws(CaseError) -> [Element] {
        guard let values = value.array else { throw CaseError("a list expected, not \(value.kind)") }
        var elements: [Element] = []
        for (index, value) in values.enumerated() {
            elements.append(try inside("[\(index)]") { () throws(CaseError) in try read(value) })
        }
        return elements
    }

    private static func map<Element>(
        _ value: JSONValue, _ read: (JSONValue) throws(CaseError) -> Element
    ) throws(CaseError) -> [String: Element] {
        var elements: [String: Element] = [:]
        for (name, value) in try CaseFields(value).object.fields {
            elements[name] = try inside(name) { () throws(CaseError) in try read(value) }
        }
        return elements
    }

    private static func map<Element>(
        _ fields: CaseFields, _ name: String, _ read: (JSONValue) throws(CaseError) -> Element
    ) throws(CaseError) -> [String: Element]? {
        guard let value = fields.object[name], value != .null else { return nil }
        return try inside(name) { () throws(CaseError) in try map(value, read) }
    }
}

extension CaseResult.Record {
    init(json: JSONValue) throws(CaseError) {
        let fields = try CaseFields(json)
        try fields.allowOnly(["key", "value", "ts", "headers"])
        guard let key = fields.object["key"].flatMap({ CaseKey(json: $0) }),
            let value = fields.object["value"].flatMap({ CaseValue(json: $0) })
        else { throw CaseError("no key or value: \(json)") }
        self.init(
            key, value, timestamp: try fields.integer("ts"), headers: try CaseHeader.list(fields.list("headers")))
    }

    /// The record as cases write it.
    public var json: JSONValue {
        var fields: [(name: String, value: JSONValue)] = [("key", key.json), ("value", value.json)]
        if let timestamp { fields.append(("ts", .integer(timestamp))) }
        if !headers.isEmpty { fields.append(("headers", .array(headers.map(\.json)))) }
        return .fields(fields)
    }
}

extension CaseResult.RawRecord {
    init(json: JSONValue) throws(CaseError) {
        guard let parts = json.array, (3...4).contains(parts.count),
            parts[0...1].allSatisfy({ $0 == .null || $0.string != nil }),
            parts[2] == .null || parts[2].integer != nil, parts.count == 3 || parts[3].array != nil
        else { throw CaseError("[key, value, ts, headers?] expected, not \(json)") }
        self.init(
            parts[0].string, parts[1].string, timestamp: parts[2].integer,
            headers: try CaseHeader.list(parts.count == 4 ? parts[3].array : nil))
    }

    /// The record as cases write it.
    public var json: JSONValue {
        var parts = [JSONValue(key), JSONValue(value), JSONValue(timestamp)]
        if !headers.isEmpty { parts.append(.array(headers.map(\.json))) }
        return .array(parts)
    }
}

extension CaseResult.Row {
    init(json: JSONValue) throws(CaseError) {
        guard let parts = json.array, (2...4).contains(parts.count), let key = CaseKey(json: parts[0]),
            let value = CaseValue(json: parts[1])
        else { throw CaseError("[key, value, ts?, headers?] expected, not \(json)") }
        self.init(
            key, value, timestamp: parts.count > 2 ? parts[2].integer : nil,
            headers: parts.count > 3 ? parts[3].string : nil)
    }

    /// The row as cases write it.
    public var json: JSONValue {
        var parts = [key.json, value.json]
        if timestamp != nil || headers != nil { parts.append(JSONValue(timestamp)) }
        if let headers { parts.append(.string(headers)) }
        return .array(parts)
    }
}

extension CaseResult.InternalTopic {
    init(json: JSONValue) throws(CaseError) {
        let fields = try CaseFields(json)
        try fields.allowOnly(["type", "config", "partitions"])
        var config: [String: String] = [:]
        for (name, value) in try fields.requiredFields("config").object.fields {
            guard let text = value.string else { throw CaseError("text expected, not \(value.kind)").inside(name) }
            config[name] = text
        }
        self.init(
            type: try fields.requiredText("type"), config: config, partitions: try fields.integer("partitions"))
    }

    /// The topic as cases write it.
    public var json: JSONValue {
        let settings = config.sorted { $0.key < $1.key }.map { (name: $0.key, value: JSONValue.string($0.value)) }
        var fields: [(name: String, value: JSONValue)] = [("type", .string(type)), ("config", .fields(settings))]
        if let partitions { fields.append(("partitions", .integer(partitions))) }
        return .fields(fields)
    }
}

extension CaseResult {
    /// The result as cases write it, what was not observed left out.
    public var json: JSONValue {
        var fields: [(name: String, value: JSONValue)] = []
        if let failure {
            let place: (name: String, value: JSONValue) =
                switch failure {
                case .build: ("atBuild", .bool(true))
                case .start: ("atStart", .bool(true))
                case .step(let index): ("atStep", .integer(Int64(index)))
                }
            fields.append(("error", .fields([place] + (failureMessage.map { [("message", .string($0))] } ?? []))))
        }
        if let describe { fields.append(("describe", .array(describe.map { .string($0) }))) }
        if let steps {
            let json = steps.map { Self.json($0) { records in .array(records.map(\.json)) } }
            fields.append(("steps", .array(json)))
        }
        if let stores {
            let json = Self.json(stores) { store in
                switch store {
                case .opaque: .string("opaque")
                case .rows(let rows): .array(rows.map(\.json))
                }
            }
            fields.append(("stores", json))
        }
        if let changelogs { fields.append(("changelogs", Self.json(changelogs) { .array($0.map(\.json)) })) }
        if let repartitions { fields.append(("repartitions", Self.json(repartitions) { .array($0.map(\.json)) })) }
        if let internalTopics { fields.append(("internalTopics", Self.json(internalTopics) { $0.json })) }
        if let copartition {
            fields.append(("copartition", .array(copartition.map { .array($0.map { .string($0) }) })))
        }
        if let droppedRecords { fields.append(("droppedRecords", .integer(droppedRecords))) }
        return .fields(fields)
    }

    private static func json<Element>(_ map: [String: Element], _ write: (Element) -> JSONValue) -> JSONValue {
        .fields(map.sorted { $0.key < $1.key }.map { (name: $0.key, value: write($0.value)) })
    }
}

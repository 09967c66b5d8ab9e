/// One step of a case.
public enum CaseStep: Sendable, Hashable {
    /// A record is written to a topic.
    case pipe(PipedRecord)
    /// The wall clock moves on by some milliseconds.
    case advanceWallClock(Int64)

    init(_ fields: CaseFields) throws(CaseError) {
        try fields.allowOnly(["pipe", "advanceWallClock"])
        if let pipe = try fields.fields("pipe") {
            self = .pipe(try inside("pipe") { () throws(CaseError) in try PipedRecord(pipe) })
        } else {
            self = .advanceWallClock(try fields.requiredInteger("advanceWallClock"))
        }
    }
}

/// A record that a step writes.
public struct PipedRecord: Sendable, Hashable {
    /// The topic.
    public var topic: String
    /// The key; nil for null.
    public var key: String?
    /// The value; nil for null.
    public var value: String?
    /// The timestamp, ms.
    public var timestamp: Int64
    /// The headers, in order.
    public var headers: [CaseHeader]

    init(_ fields: CaseFields) throws(CaseError) {
        try fields.allowOnly(["topic", "key", "value", "ts", "headers"])
        topic = try fields.requiredText("topic")
        // Null and missing are not the same here: a record says its key and its value.
        for name in ["key", "value"] where fields.object[name] == nil {
            throw CaseError("the field is missing").inside(name)
        }
        key = try fields.text("key")
        value = try fields.text("value")
        timestamp = try fields.requiredInteger("ts")
        headers = try CaseHeader.list(fields.list("headers"))
    }
}

/// One header: a name and text or, in internal topics, hexadecimal digits.
public struct CaseHeader: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The value; nil for null.
    public var value: String?

    /// Makes a header.
    public init(_ name: String, _ value: String?) {
        self.name = name
        self.value = value
    }

    static func list(_ values: [JSONValue]?) throws(CaseError) -> [CaseHeader] {
        var headers: [CaseHeader] = []
        for value in values ?? [] {
            guard let pair = value.array, pair.count == 2, let name = pair[0].string,
                pair[1] == .null || pair[1].string != nil
            else { throw CaseError("a header is [name, value or null], not \(value)").inside("headers") }
            headers.append(CaseHeader(name, pair[1].string))
        }
        return headers
    }

    var json: JSONValue { .array([.string(name), JSONValue(value)]) }
}

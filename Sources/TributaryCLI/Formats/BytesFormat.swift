internal import TributaryCore

/// How the bytes of keys and values are shown and typed: what they are of, and for keys how a window goes with them.
struct BytesFormat: Sendable, Equatable {
    /// What bytes are of; the layouts are those of Kafka's serdes.
    enum Kind: String, Sendable, CaseIterable {
        /// Text where the bytes are text, hexadecimal with `0x` where not.
        case auto
        case text
        case hex
        case base64
        case json
        case int16
        case int32
        case int64
        case float
        case double
        case bool
        /// 36 characters, as Kafka's serde writes them.
        case uuid
        /// Milliseconds since 1970 in 8 bytes, shown as a time.
        case date
    }

    var kind = Kind.auto
    var keys = KeySchema.plain

    static let auto = BytesFormat()
    static let text = BytesFormat(kind: .text)
    static let hex = BytesFormat(kind: .hex)

    static let names = Kind.allCases.map(\.rawValue)
    /// What stands before a kind, with a colon, where the bytes end with a window.
    static let prefixes: [(name: String, keys: KeySchema)] = [
        ("windowed", .windowed), ("window", .window), ("session", .session),
    ]
    private static let aliases = ["string": Kind.text, "bytes": .hex, "short": .int16, "int": .int32, "long": .int64]

    /// What help says of `--key-format`.
    static let keyHelp =
        "\(names.joined(separator: ", ")); before it windowed: (key and start, as windowed records have), window: "
        + "(rows and changelogs of window stores) or session:"
    /// What help says of `--value-format`.
    static let valueHelp = names.joined(separator: ", ")

    init(kind: Kind = .auto, keys: KeySchema = .plain) {
        self.kind = kind
        self.keys = keys
    }

    /// The format of a name that the parser has checked.
    init(_ name: String?) {
        self = name.flatMap { BytesFormat(named: $0) } ?? .auto
    }

    /// The format of a name; nil if there is none.
    init?(named name: String, windows: Bool = true) {
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        if windows, let prefix = Self.prefixes.first(where: { $0.name == parts[0] }) {
            let inner = parts.count > 1 ? parts[1] : Kind.auto.rawValue
            guard let kind = Kind(rawValue: inner) ?? Self.aliases[inner] else { return nil }
            self.init(kind: kind, keys: prefix.keys)
            return
        }
        guard let kind = Kind(rawValue: name) ?? Self.aliases[name] else { return nil }
        self.init(kind: kind)
    }

    /// The same kind with a store's way of making keys, unless a way was asked for.
    func inStore(_ keys: KeySchema) -> BytesFormat {
        self.keys == .plain ? BytesFormat(kind: kind, keys: keys) : self
    }
}

/// Text from outside on its way to a terminal.
enum Printable {
    /// The text without control characters, which could rewrite the screen or begin a line.
    static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": clean.append(contentsOf: "\\n".unicodeScalars)
            case "\t": clean.append(contentsOf: "\\t".unicodeScalars)
            case "\r": clean.append(contentsOf: "\\r".unicodeScalars)
            default: clean.append(scalar.properties.generalCategory == .control ? "\u{fffd}" : scalar)
            }
        }
        return String(clean)
    }
}

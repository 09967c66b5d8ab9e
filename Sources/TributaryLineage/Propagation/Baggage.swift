public import TributaryCore

/// W3C's `baggage`: names and values that a request carries along; a record has them in a header of that name.
///
/// The header travels like any other of the user's: with the record, and with what is sent because of it.
public struct Baggage: Sendable, Equatable {
    /// One member.
    public struct Member: Sendable, Equatable {
        /// The name.
        public var name: String
        /// The value, decoded.
        public var value: String
        /// What stands behind the value, as it came: `a=1;b`; empty for nothing.
        public var properties: String

        /// Makes a member.
        public init(_ name: String, _ value: String, properties: String = "") {
            self.name = name
            self.value = value
            self.properties = properties
        }
    }

    /// W3C's bounds of what must be carried.
    static let maximumMembers = 180
    static let maximumBytes = 8192

    /// The members, in order.
    public private(set) var members: [Member] = []

    /// No members.
    public init() {}

    /// Reads a header's value; members that are malformed, or too many, are left out.
    public init(_ text: RawSpan) {
        guard text.byteCount <= Baggage.maximumBytes, let text = String(strictUTF8: text) else { return }
        for part in text.split(separator: ",") where members.count < Baggage.maximumMembers {
            let pieces = part.split(separator: ";", maxSplits: 1)
            guard let pair = pieces.first, let equals = pair.firstIndex(of: "=") else { continue }
            let name = Baggage.trimmed(pair[..<equals])
            let value = Baggage.trimmed(pair[pair.index(after: equals)...])
            guard Baggage.isToken(name) else { continue }
            members.append(
                Member(name, Baggage.decoded(value), properties: pieces.count > 1 ? Baggage.trimmed(pieces[1]) : ""))
        }
    }

    /// Reads the last header `baggage` of a record; no members if there is none.
    public init(_ headers: Headers) {
        let bytes = headers.last(HeaderNames.baggage) ?? []
        self.init(unsafe bytes.span.bytes)
    }

    init(ofHeaders encoded: [UInt8]) { self.init(Headers(checked: unsafe encoded.span.bytes)) }

    /// The value of a name; setting it replaces or appends the member, nil removes it.
    public subscript(name: String) -> String? {
        get { members.last { $0.name == name }?.value }
        set {
            let place = members.firstIndex { $0.name == name }
            members.removeAll { $0.name == name }
            guard let newValue else { return }
            members.insert(Member(name, newValue), at: min(place ?? members.count, members.count))
        }
    }

    /// The header's value; the last members are left out where it would be longer than W3C's 8192 bytes.
    public var bytes: [UInt8] {
        var writer = ByteWriter()
        for member in members where Baggage.isToken(member.name) {
            let before = writer.count
            if writer.count > 0 { writer.append(0x2c) }
            writer.append(utf8: member.name)
            writer.append(0x3d)
            for byte in member.value.utf8 {
                if Baggage.isPlain(byte) {
                    writer.append(byte)
                } else {
                    writer.append(0x25)
                    writer.append(utf8: String(byte >> 4, radix: 16, uppercase: true))
                    writer.append(utf8: String(byte & 15, radix: 16, uppercase: true))
                }
            }
            if !member.properties.isEmpty {
                writer.append(0x3b)
                writer.append(utf8: member.properties)
            }
            if writer.count > Baggage.maximumBytes {
                writer.truncate(to: before)
                break
            }
        }
        return writer.copy()
    }

    // baggage-octet without the percent sign.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte == 0x21 || 0x23...0x2b ~= byte && byte != 0x25 || 0x2d...0x3a ~= byte || 0x3c...0x5b ~= byte
            || 0x5d...0x7e ~= byte
    }

    // A token of HTTP.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte
                    || Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
            }
    }

    private static func trimmed(_ text: Substring) -> String {
        let front = text.drop { $0 == " " || $0 == "\t" }
        return String(String(front.reversed().drop { $0 == " " || $0 == "\t" }).reversed())
    }

    /// Percent-decoded; what isn't UTF-8 then becomes U+FFFD, as W3C has it.
    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2, let high = hexadecimalDigit(rest[rest.startIndex]),
                let low = hexadecimalDigit(rest[rest.startIndex + 1])
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Entry points for fuzzing: whether the bytes were accepted.
package enum ConformanceFuzzEntries {
    /// A JSON text, and the case in it if it is one.
    package static func caseText(_ bytes: [UInt8]) -> Bool {
        guard let json = try? JSONValue(parsing: bytes) else { return false }
        guard (try? JSONValue(parsing: Array(json.description.utf8))) != nil else {
            preconditionFailure("written, but not readable")
        }
        return (try? ConformanceCase(json: json)) != nil
    }
}

import Foundation

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    switch arguments.first {
    case "list"?: for path in GatedPath.all { print(path.name) }
    case let name?:
        guard let path = GatedPath.all.first(where: { $0.name == name }) else {
            throw GateError(text: "no path '\(name)'")
        }
        let records = arguments.count > 1 ? Int(arguments[1]) ?? 0 : 20_000
        guard records > 0 else { throw GateError(text: "the number of records must be above 0") }
        let allocations = try path.run(records)
        print("\(path.name) \(records) records \(allocations) allocations")
    case nil: throw GateError(text: "usage: tributary-bench-gate list | NAME [RECORDS]")
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}

/** The role that programs come as to an embedded database: for a superuser, who makes its tables, no row security holds. */
export const runtimeRole = "stormglass"

/** Unless it is there. It lets nobody in: who is in the process is not asked. */
export const createRole = `do $$ begin
  if not exists (select from pg_roles where rolname = '${runtimeRole}') then create role ${runtimeRole}; end if;
end $$`
